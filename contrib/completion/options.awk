# awk -f options.awk src/options.def chcached.in: the completion, with a word for
# each spelling of each option, "--port=VALUE" and "-p=VALUE", in the place of
# @options@.  What is ignored or refused is not there: nobody should be led to it.

FNR == NR {
    if (match($0, /^OPTION(_RARE)?\([a-z_]+, "[a-z-]+", /)) {
        split($0, quoted, "\"")
        letter = substr($0, RLENGTH + 1, 3)
        value = ""
        if ($0 !~ /NULL,$/) {
            value = $0
            sub(/",$/, "", value)
            sub(/.*"/, "", value)
            value = "=" (value ~ /^(FILE|DIR)$/ ? value : "VALUE")
        }
        words = words "\n    --" quoted[2] value
        if (letter ~ /^'.'$/)
            words = words " -" substr(letter, 2, 1) value
    }
    next
}
{
    if ($0 ~ /@options@/)
        sub(/@options@/, words "\n")
    print
}
