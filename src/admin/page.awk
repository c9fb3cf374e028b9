# awk -f page.awk page.html: the page as a string of C.

BEGIN { print "#include \"admin/page.h\"\n\nconst char page_template[] =" }
{
    gsub(/[\\"?]/, "\\\\&")     # "?" as well: two of them may begin a trigraph
    print "    \"" $0 "\\n\""
}
END { print "    ;" }
