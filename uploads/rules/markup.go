package rules

import "bytes"

// markupBytes is how many bytes of a file are searched for markup. Browsers read no more when they
// guess a type.
const markupBytes = 1 << 10

// markup lists texts that a file must not have. If a file has one of the texts, a browser that
// guesses types could show the file as a page. A server could run the file as a program. Many
// pictures begin with XMP, which is XML but contains none of these texts.
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

// hasMarkup reports whether the beginning of a file has text of a web page or a program.
func hasMarkup(b []byte) bool {
	// UTF-16 text has a zero byte beside each ASCII letter, so remove zero bytes.
	text := bytes.ToLower(bytes.ReplaceAll(b, []byte{0}, nil))
	for _, m := range markup {
		if bytes.Contains(text, m) {
			return true
		}
	}
	return hasShortTag(text)
}

// shortTagText is how many bytes of text must follow the short tag <?= for it to count. Without
// that rule, one of 16,000 valid pictures would be refused, because its data has these three bytes
// by chance.
const shortTagText = 8

// hasShortTag reports whether text follows a tag <?=, which runs PHP code.
func hasShortTag(text []byte) bool {
	for {
		_, rest, found := bytes.Cut(text, []byte("<?="))
		if !found {
			return false
		}
		// In the data of a picture, the tag may occur by chance, and other bytes than text follow it.
		following := rest[:min(len(rest), shortTagText)]
		if !bytes.ContainsFunc(following, isNoText) {
			return true
		}
		text = rest
	}
}

// isNoText reports whether a character is neither visible ASCII nor white space.
func isNoText(r rune) bool {
	isVisible := ' ' <= r && r <= '~'
	isSpace := r == '\t' || r == '\r' || r == '\n'
	return !isVisible && !isSpace
}
