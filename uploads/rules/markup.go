package rules

import "bytes"

// markupBytes is how much of a file is searched for markup. Browsers look at no more
// when they guess a type.
const markupBytes = 1 << 10

// markup lists the texts that make a browser that guesses types show a page, or a server run a
// program. XMP, which many pictures begin with, is XML and has none of them.
var markup = [][]byte{
	[]byte("<!doctype"),
	[]byte("<html"), []byte("<head>"), []byte("<body"), []byte("<meta "), []byte("<base "), []byte("<link "),
	[]byte("<script"), []byte("<style"), []byte("<svg"), []byte("<math"), []byte("<template"),
	[]byte("<iframe"), []byte("<frame"), []byte("<object"), []byte("<embed"), []byte("<applet"), []byte("<portal"),
	[]byte("<img"),
	[]byte("<image"), []byte("<video"), []byte("<audio"), []byte("<source"), []byte("<details"), []byte("<marquee"),
	[]byte("<form"),
	[]byte("<input"), []byte("<button"), []byte("<select"), []byte("<textarea"), []byte("<keygen"), []byte("<isindex"),
	[]byte("onerror="), []byte("onload="), []byte("onclick="), []byte("onfocus="), []byte("ontoggle="),
	[]byte("onmouse"),
	[]byte("onpointer"), []byte("onanimation"), []byte("javascript:"),
	[]byte("<?php"), []byte("<jsp:"),
}

func hasMarkup(b []byte) bool {
	// UTF-16 has the same letters, with zeros between them.
	text := bytes.ToLower(bytes.ReplaceAll(b, []byte{0}, nil))
	for _, m := range markup {
		if bytes.Contains(text, m) {
			return true
		}
	}
	return hasShortTag(text)
}

// shortTagText is how much text must follow a short tag. The three bytes of the tag by
// themselves occur in one of 16,000 valid pictures.
const shortTagText = 8

// hasShortTag searches for PHP's <?=.
func hasShortTag(text []byte) bool {
	for {
		_, after, found := bytes.Cut(text, []byte("<?="))
		if !found {
			return false
		}
		typed := 0
		for typed < min(len(after), shortTagText) && (after[typed] >= ' ' && after[typed] <= '~' || bytes.IndexByte([]byte("\t\r\n"), after[typed]) >= 0) {
			typed++
		}
		if typed == min(len(after), shortTagText) {
			return true
		}
		text = after
	}
}
