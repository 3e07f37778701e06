package s3

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Where text stands decides what is special in it.
type textPlace int

const (
	inElement textPlace = iota
	inAttribute
	inCDATA
)

// text is what stands before the next markup, as it reads. Its end without any
// is the end of a document that breaks off: nothing is read behind the root.
func (x *xmlReader) text() ([]byte, error) {
	end := bytes.IndexByte(x.doc[x.pos:], '<')
	if end < 0 {
		x.pos = len(x.doc)
		return nil, x.malformed("an end too early")
	}
	raw := x.doc[x.pos : x.pos+end]
	x.pos += end
	return x.plain(raw, inElement)
}

// cdata is the text of a CDATA section, if that is what comes.
func (x *xmlReader) cdata() (text []byte, is bool, err error) {
	raw, is := bytes.CutPrefix(x.doc[x.pos:], []byte("<![CDATA["))
	if !is {
		return nil, false, nil
	}
	end := bytes.Index(raw, []byte("]]>"))
	if end < 0 {
		return nil, true, x.malformed("a section that does not end")
	}
	x.pos += len("<![CDATA[") + end + len("]]>")
	text, err = x.plain(raw[:end], inCDATA)
	return text, true, err
}

// comment passes over one, which holds no "--".
func (x *xmlReader) comment() error {
	end := bytes.Index(x.doc[x.pos:], []byte("--"))
	if end < 0 {
		return x.malformed("a comment that does not end")
	}
	x.pos += end + len("--")
	if !x.accept('>') {
		return x.malformed("a comment with dashes")
	}
	return nil
}

// instruction passes over a processing instruction, or the XML declaration.
func (x *xmlReader) instruction() error {
	target, err := x.name()
	if err != nil {
		return err
	}
	end := bytes.Index(x.doc[x.pos:], []byte("?>"))
	if end < 0 {
		return x.malformed("an instruction that does not end")
	}
	if string(target) != "xml" {
		x.pos += end + len("?>")
		return nil
	}
	within := &xmlReader{doc: x.doc[:x.pos+end], pos: x.pos}
	x.pos += end + len("?>")
	return within.declaration()
}

// declaration reads version="1.0" encoding="UTF-8" standalone="yes": another
// version or encoding would be misread.
func (x *xmlReader) declaration() error {
	for x.space(); x.pos < len(x.doc); x.space() {
		name, err := x.name()
		if err != nil {
			return err
		}
		x.space()
		if !x.accept('=') {
			return x.malformed("a declaration without a value")
		}
		x.space()
		value, err := x.quoted()
		if err != nil {
			return err
		}
		switch {
		case string(name) == "version" && string(value) != "1.0":
			return x.malformed("another version of XML")
		case string(name) == "encoding" && !strings.EqualFold(string(value), "utf-8"):
			return x.malformed("another encoding than UTF-8")
		}
	}
	return nil
}

// plain is raw as it reads: itself, or good until the next call.
func (x *xmlReader) plain(raw []byte, place textPlace) ([]byte, error) {
	for i, c := range raw {
		if !unremarkable[c] {
			return x.decode(raw, i, place)
		}
	}
	return raw, nil
}

// unremarkable are the bytes that stand for themselves everywhere.
var unremarkable = func() (table [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		table[c] = c != '&' && c != '>'
	}
	table['\t'], table['\n'] = true, true
	return table
}()

// decode is plain's slow road, from the first byte that matters on.
func (x *xmlReader) decode(raw []byte, from int, place textPlace) ([]byte, error) {
	text := append(x.spare[:0], raw[:from]...)
	for i := from; i < len(raw); {
		c, size := raw[i], 1
		switch {
		case unremarkable[c]:
			text = append(text, c)
		case c == '&' && place != inCDATA:
			var r rune
			if r, size = reference(raw[i:]); size == 0 || !isCharacter(r) {
				return nil, x.malformed("no character in a reference")
			}
			text = utf8.AppendRune(text, r)
		case c == '>' && place == inElement && bytes.HasSuffix(raw[:i], []byte("]]")):
			return nil, x.malformed("]]> in a text")
		case c == '\r': // a line ends with \n alone
			if i+1 == len(raw) || raw[i+1] != '\n' {
				text = append(text, '\n')
			}
		default:
			var r rune
			if r, size = utf8.DecodeRune(raw[i:]); r == utf8.RuneError && size == 1 || !isCharacter(r) {
				return nil, x.malformed("no character of XML")
			}
			text = append(text, raw[i:i+size]...)
		}
		i += size
	}
	x.spare = text
	return text, nil
}

// reference reads "&lt;" or "&#60;" at the start of raw; size is 0 where it is
// none.
func reference(raw []byte) (r rune, size int) {
	end := bytes.IndexByte(raw, ';')
	if end < 0 {
		return 0, 0
	}
	name := raw[1:end]
	if digits, isNumber := bytes.CutPrefix(name, []byte("#")); isNumber {
		r = number(digits)
	} else {
		r = named(name)
	}
	if r < 0 {
		return 0, 0
	}
	return r, end + 1
}

// named are the references that need no declaration; -1: none of them.
func named(name []byte) rune {
	switch string(name) {
	case "quot":
		return '"'
	case "amp":
		return '&'
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "apos":
		return '\''
	}
	return -1
}

// number is a code point, as "60" or "x3C"; -1: none. Half of a surrogate pair
// is one here, and is written as U+FFFD, as encoding/xml does.
func number(digits []byte) rune {
	base := rune(10)
	if hex, isHex := bytes.CutPrefix(digits, []byte("x")); isHex {
		base, digits = 16, hex
	}
	if len(digits) == 0 {
		return -1
	}
	n := rune(0)
	for _, c := range digits {
		digit := rune(hexDigit(c))
		if digit < 0 || digit >= base {
			return -1
		}
		if n = n*base + digit; n > utf8.MaxRune {
			return -1
		}
	}
	return n
}

// hexDigit is the value of one, or -1.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// isCharacter reports whether XML can hold r, however it is written.
func isCharacter(r rune) bool {
	return r >= ' ' && r != 0xFFFE && r != 0xFFFF || r == '\t' || r == '\n' || r == '\r'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// trimSpace takes XML's spaces off both ends.
func trimSpace(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }
