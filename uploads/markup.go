package uploads

import "bytes"

// markupBytes is how much of a file's beginning is searched for markup: as much
// as browsers look at when they guess.
const markupBytes = 1 << 10

// markup makes a browser that guesses show a page, or a server run a program.
// XMP, which many pictures begin with, is XML and has none of these.
var markup = [][]byte{
	[]byte("<!doctype"), []byte("<html"), []byte("<head>"), []byte("<body"), []byte("<script"), []byte("<iframe"),
	[]byte("<object"), []byte("<embed"), []byte("<svg"), []byte("<img"), []byte("<form"), []byte("<meta "),
	[]byte("<?php"), []byte("javascript:"),
}

func hasMarkup(b []byte) bool {
	// UTF-16 is the same with zeros between.
	text := bytes.ToLower(bytes.ReplaceAll(b, []byte{0}, nil))
	for _, m := range markup {
		if bytes.Contains(text, m) {
			return true
		}
	}
	return false
}

const (
	// screenBytes of a GIF, and more of a WebP, stand between its magic, which
	// JavaScript takes for a name, and its first block.
	screenBytes = 7
	// programBytes in a row that could be typed are no picture's by chance.
	programBytes = 12
	programLook  = 64 // bytes of it that are looked at
)

// readsAsScript reports whether JavaScript could make sense of what follows the
// magic: an operator and a comment or text, which then swallows the picture. Of
// pictures that people make, the bytes there are those of numbers below 10,752,
// and have zeros or controls among them.
func readsAsScript(b []byte, magic int) bool {
	rest := b[min(magic, len(b)):]
	typed := typedBytes(rest)
	if len(rest) >= screenBytes && typed >= screenBytes && magic == gifMagic {
		return true
	}
	opener := rest[:min(typed, screenBytes)]
	for _, comment := range []struct{ begin, end string }{{"/*", "*/"}, {"//", "\n"}, {"//", "\r"}} {
		if bytes.Contains(opener, []byte(comment.begin)) && (magic == gifMagic || goesOn(rest, comment.end)) {
			return true
		}
	}
	for i, quote := range opener {
		// A quote right behind a name is no JavaScript, but for the backtick's.
		if quote != '`' && (i == 0 || quote != '"' && quote != '\'') {
			continue
		}
		if goesOn(rest[i+1:], string(rune(quote))) {
			return true
		}
	}
	return false
}

// goesOn reports whether a program follows the end of a comment or text.
func goesOn(b []byte, end string) bool {
	for {
		_, after, found := bytes.Cut(b, []byte(end))
		if !found {
			return false
		}
		if n := typedBytes(after[:min(len(after), programLook)]); n >= programBytes && bytes.ContainsAny(after[:n], "(=;`") {
			return true
		}
		b = after
	}
}

// typedBytes counts the first bytes that a keyboard makes.
func typedBytes(b []byte) int {
	for i, c := range b {
		if (c < ' ' || c > '~') && c != '\t' && c != '\n' && c != '\r' {
			return i
		}
	}
	return len(b)
}
