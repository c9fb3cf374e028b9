# CHC_CHECK_FLAG(VARIABLE, FLAG)
# ------------------------------
# Appends FLAG to VARIABLE if the compiler and the linker take it without a
# word.  Warnings count as a no: clang only warns about options of gcc.
AC_DEFUN([CHC_CHECK_FLAG],
[AS_VAR_PUSHDEF([chc_cache], [chc_cv_flag_$2])dnl
AC_CACHE_CHECK([whether $CC takes $2], [chc_cache],
    [chc_save_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS -Werror $2"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]])],
                    [AS_VAR_SET([chc_cache], [yes])],
                    [AS_VAR_SET([chc_cache], [no])])
     CFLAGS=$chc_save_CFLAGS])
AS_VAR_IF([chc_cache], [yes], [$1="$$1 $2"], [$3])
AS_VAR_POPDEF([chc_cache])])

# CHC_CHECK_FLAGS(VARIABLE, FLAGS)
# --------------------------------
# The same for each word of FLAGS.
AC_DEFUN([CHC_CHECK_FLAGS],
[m4_foreach_w([chc_flag], [$2],
    [CHC_CHECK_FLAG([$1], m4_defn([chc_flag]))
])])

# CHC_NEED_FLAG(VARIABLE, FLAG)
# -----------------------------
# The same for a flag that the builder asked for: configure ends without it.
AC_DEFUN([CHC_NEED_FLAG],
[CHC_CHECK_FLAG([$1], [$2], [AC_MSG_ERROR([$CC does not take $2])])])
