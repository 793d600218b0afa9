# Makes the Markdown of a manual page: a frame from docs/man/, and in it pages of docs/. Their tables become lists, which
# fit any terminal, and their links the names of sections or of other manual pages.
#
#     awk -f docs/man/markdown.awk docs/man/kea-hook-runscript.5.md

$1 == "@include" {
    page = $2
    while ((got = (getline < page)) > 0) included()
    if (got < 0) { print page " cannot be read" > "/dev/stderr"; exit 1 }
    close(page)
    next
}

{ print }

function included() {
    if (/^```/) code = !code
    if (code) { print; return }

    while (match($0, /\[[^]]+\]\([^)]+\)/)) {
        split(substr($0, RSTART, RLENGTH), link, /\]\(/)
        replace(link[2] ~ /^reservations\.md/ ? "**kea-hook-reservations**(5)" : substr(link[1], 2))
    }
    while (match($0, /[a-z-]+\.md/)) {
        name = toupper(substr($0, RSTART, RLENGTH - 3))
        gsub(/-/, " ", name)
        replace(name)
    }
    if (/^# /) $0 = toupper($0)
    sub(/^## /, "### ")
    if (/^\|/) row()
    else { columns = 0; print }
}

function replace(text) {
    $0 = substr($0, 1, RSTART - 1) text substr($0, RSTART + RLENGTH)
}

# The first cell is what the item is about, or an empty one the row's above, and the column of the meaning its text; the others stand
# in brackets.
function row(    i, cell, notes) {
    if (/^\| ---/) return
    if (!columns) {
        meaning = columns = split($0, head, / ?\| ?/) - 1
        for (i = 3; i <= columns; i++) if (head[i] ~ /mean|when/) meaning = i
        return
    }
    split($0, cell, / ?\| ?/)
    if (cell[2] == "") cell[2] = item
    item = cell[2]
    for (i = 3; i <= columns; i++)
        if (i != meaning) notes = notes (notes ? "; " head[i] ": " : "") cell[i]
    print cell[2] (notes ? " (" notes ")" : "") "\n: " cell[meaning] "\n"
}
