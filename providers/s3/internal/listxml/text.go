package listxml

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// A textContext says where text occurs, which decides what is special in it.
type textContext int

const (
	inElement textContext = iota
	inAttribute
	inCDATA
)

// text returns the decoded text before the next markup. If there is no more markup,
// the document is truncated: nothing is read after the root.
func (x *reader) text() ([]byte, error) {
	end := bytes.IndexByte(x.doc[x.pos:], '<')
	if end < 0 {
		x.pos = len(x.doc)
		return nil, x.malformed("an early end")
	}
	raw := x.doc[x.pos : x.pos+end]
	x.pos += end
	return x.plain(raw, inElement)
}

// cdata returns the text of a CDATA section, if the next markup is one.
func (x *reader) cdata() (text []byte, is bool, err error) {
	raw, is := bytes.CutPrefix(x.doc[x.pos:], []byte("<![CDATA["))
	if !is {
		return nil, false, nil
	}
	end := bytes.Index(raw, []byte("]]>"))
	if end < 0 {
		return nil, true, x.malformed("an unclosed section")
	}
	x.pos += len("<![CDATA[") + end + len("]]>")
	text, err = x.plain(raw[:end], inCDATA)
	return text, true, err
}

// comment skips a comment, which must not contain "--".
func (x *reader) comment() error {
	end := bytes.Index(x.doc[x.pos:], []byte("--"))
	if end < 0 {
		return x.malformed("an unclosed comment")
	}
	x.pos += end + len("--")
	if !x.accept('>') {
		return x.malformed("a comment with dashes")
	}
	return nil
}

// instruction skips a processing instruction, or reads the XML declaration.
func (x *reader) instruction() error {
	target, err := x.name()
	if err != nil {
		return err
	}
	end := bytes.Index(x.doc[x.pos:], []byte("?>"))
	if end < 0 {
		return x.malformed("an unclosed instruction")
	}
	if string(target) != "xml" {
		x.pos += end + len("?>")
		return nil
	}
	inner := &reader{doc: x.doc[:x.pos+end], pos: x.pos}
	x.pos += end + len("?>")
	return inner.declaration()
}

// declaration reads version="1.0" encoding="UTF-8" standalone="yes". It refuses any
// other version or encoding, which would be misread.
func (x *reader) declaration() error {
	for x.skipSpace(); x.pos < len(x.doc); x.skipSpace() {
		name, err := x.name()
		if err != nil {
			return err
		}
		x.skipSpace()
		if !x.accept('=') {
			return x.malformed("a declaration without a value")
		}
		x.skipSpace()
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

// plain returns raw decoded: raw itself, or text that is valid until the next call.
func (x *reader) plain(raw []byte, where textContext) ([]byte, error) {
	for i, c := range raw {
		if !isLiteral[c] {
			return x.decode(raw, i, where)
		}
	}
	return raw, nil
}

// isLiteral has the bytes that mean themselves in every context.
var isLiteral = func() (table [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		table[c] = c != '&' && c != '>'
	}
	table['\t'], table['\n'] = true, true
	return table
}()

// decode is the slow path of plain. from is the first byte that is not literal.
func (x *reader) decode(raw []byte, from int, where textContext) ([]byte, error) {
	text := append(x.scratch[:0], raw[:from]...)
	for i := from; i < len(raw); {
		c, size := raw[i], 1
		switch {
		case isLiteral[c]:
			text = append(text, c)
		case c == '&' && where != inCDATA:
			var r rune
			if r, size = reference(raw[i:]); size == 0 || !isCharacter(r) {
				return nil, x.malformed("an invalid reference")
			}
			text = utf8.AppendRune(text, r)
		case c == '>' && where == inElement && bytes.HasSuffix(raw[:i], []byte("]]")):
			return nil, x.malformed("]]> in a text")
		case c == '\r': // every line ends with \n
			if i+1 == len(raw) || raw[i+1] != '\n' {
				text = append(text, '\n')
			}
		default:
			var r rune
			if r, size = utf8.DecodeRune(raw[i:]); r == utf8.RuneError && size == 1 || !isCharacter(r) {
				return nil, x.malformed("an invalid character")
			}
			text = append(text, raw[i:i+size]...)
		}
		i += size
	}
	x.scratch = text
	return text, nil
}

// reference reads "&lt;" or "&#60;" at the start of raw. If there is no reference,
// size is 0.
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

// named returns the character of a predefined reference, or -1.
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

// number returns the code point of "60" or "x3C", or -1. It accepts half of a
// surrogate pair, which becomes U+FFFD, as in encoding/xml.
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

// hexDigit returns the value of a hexadecimal digit, or -1.
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

// isCharacter reports whether an XML document can contain r, escaped or not.
func isCharacter(r rune) bool {
	return r >= ' ' && r != 0xFFFE && r != 0xFFFF || r == '\t' || r == '\n' || r == '\r'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// trimSpace removes XML's white space from both ends.
func trimSpace(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }
