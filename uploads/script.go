package uploads

import (
	"encoding/binary"
	"unicode"
)

// JavaScript takes a picture's first letters for a name: GIF89a, RIFF and, in
// Latin-1, a JPEG's. If an operator follows, and a comment or a text that swallows
// the picture, the file is a program as well. No pattern of bytes tells all of
// those from pictures, whose sizes and lengths stand in the same place; but a
// program has to be one to its end. So the file is read as the language's words
// are, taking every doubt for "yes", until a byte that stands in no program.

// lexical is a set of places in which a reader of JavaScript may be.
type lexical uint32

const (
	inCode lexical = 1 << iota
	inSingle
	inSingleEscape
	inDouble
	inDoubleEscape
	inTemplate
	inTemplateEscape
	afterDollar // in a template: ${ leads to code
	inLine      // a comment up to the line's end
	inBlock
	afterStar  // in a block: */ ends it
	afterSlash // a division, which is code, or the beginning of one of three things
	inRegexp
	inRegexpEscape
	inClass // of a regular expression: / does not end it
	inClassEscape
	afterLess // < ! - - is a comment, too, and so is - - >
	afterBang
	afterBangDash
	afterDash
	afterDashes
)

// What a reading makes of units that are not ASCII.
const (
	noWord  = 0x00 // stands in texts and comments alone
	anyWord = 0x80 // may be a letter, a space, or the end of a line
)

// A scriptReader reads as JavaScript in one of the encodings that a page can say
// a script has.
type scriptReader struct {
	order     binary.ByteOrder // of UTF-16; nil: bytes
	at        int
	places    lexical
	swallowed lexical // where the next byte is the second half of a letter
	nested    bool    // a template has had code in it, behind whose } it goes on
	escape    byte    // of ISO-2022-JP, which has begun
	gaveUp    bool
}

// readsAsScript reports whether the file may be a program of JavaScript; one that
// goes on behind the head may, where its head may.
func readsAsScript(h *head) bool {
	for _, order := range []binary.ByteOrder{nil, binary.LittleEndian, binary.BigEndian} {
		if (&scriptReader{order: order, places: inCode}).survives(h) {
			return true
		}
	}
	return false
}

const firstLook = 512

func (s *scriptReader) survives(h *head) bool {
	for size := firstLook; ; size *= 2 {
		b := h.first(size)
		s.read(b)
		switch {
		case s.gaveUp, h.canceled():
			return true
		case s.places|s.swallowed == 0 && s.escape == 0:
			return false
		case h.whole() && len(b) == len(h.buf): // the end of a comment or text is missing: no program
			return (s.places|s.swallowed)&(inCode|inLine) != 0
		case len(b) < size || size >= headBytes:
			return true
		}
	}
}

// read goes on to the end of b, of which it has read the first s.at bytes.
func (s *scriptReader) read(b []byte) {
	if s.order == nil {
		for ; s.at < len(b); s.at++ {
			s.byte(b[s.at])
		}
		return
	}
	for ; s.at+1 < len(b); s.at += 2 {
		s.places = s.step(wordOf(s.order.Uint16(b[s.at:])))
	}
}

// byte reads one of UTF-8, or of what is ASCII beside its own letters: a letter's
// second half may look like ASCII (Shift JIS, GBK, Big5).
func (s *scriptReader) byte(c byte) {
	if s.iso2022(c); s.gaveUp {
		return
	}
	whole := lexical(0)
	if c >= 0x30 && c != 0x7F {
		whole = s.swallowed
	}
	word := min(c, anyWord)
	next := s.step(word)
	s.swallowed = 0
	if word == anyWord {
		s.swallowed = next
	}
	s.places = next | whole
}

// iso2022 gives up where the letters change: behind that, anything is a text.
func (s *scriptReader) iso2022(c byte) {
	switch {
	case c == 0x1B && s.places != 0:
		s.escape = c
	case s.escape == 0x1B && (c == '$' || c == '('):
		s.escape = c
	case s.escape == '$' && (c == '@' || c == 'B'), s.escape == '(' && (c == 'B' || c == 'J' || c == 'I'):
		s.gaveUp = true
	default:
		s.escape = 0
	}
}

// wordOf takes for a letter what Unicode has not assigned yet: browsers know
// other versions of it.
func wordOf(unit uint16) byte {
	switch r := rune(unit); {
	case r < anyWord:
		return byte(r)
	case unicode.In(r, unicode.Zl, unicode.Zp):
		return anyWord
	case unicode.In(r, unicode.Other_ID_Start, unicode.Other_ID_Continue, unicode.Pc), r == '\u200c' || r == '\u200d' || r == '\ufeff':
		return 'a'
	case unicode.In(r, unicode.P, unicode.S, unicode.Cc, unicode.Cf, unicode.Co):
		return noWord
	}
	return 'a'
}

// step is where the reader may be behind c.
func (s *scriptReader) step(c byte) (next lexical) {
	if s.places&inCode != 0 {
		next |= s.code(c)
	}
	if s.places&^inCode == 0 {
		return next
	}
	if s.places&afterSlash != 0 {
		switch c {
		case '/':
			next |= inLine
		case '*':
			next |= inBlock
		default:
			next |= regexpStep(inRegexp, c)
		}
	}
	for _, place := range []lexical{inRegexp, inRegexpEscape, inClass, inClassEscape} {
		if s.places&place != 0 {
			next |= regexpStep(place, c)
		}
	}
	return next | commentStep(s.places, c) | s.text(c)
}

// code is what a byte between texts and comments leads to.
func (s *scriptReader) code(c byte) lexical {
	if c != anyWord && (c < ' ' || c > '~') && (c < '\t' || c > '\r') {
		return 0
	}
	switch c {
	case '\'':
		return inSingle
	case '"':
		return inDouble
	case '`':
		return inTemplate
	case '/':
		return inCode | afterSlash
	case '<':
		return inCode | afterLess
	case '-':
		return inCode | afterDash
	case '}':
		if s.nested {
			return inCode | inTemplate
		}
	}
	return inCode
}

// text is what a byte in a text leads to.
func (s *scriptReader) text(c byte) (next lexical) {
	newline := c == '\n' || c == '\r'
	for _, t := range []struct {
		in, escape lexical
		end        byte
		lines      bool
	}{{inSingle, inSingleEscape, '\'', false}, {inDouble, inDoubleEscape, '"', false}, {inTemplate, inTemplateEscape, '`', true}} {
		if s.places&t.escape != 0 {
			if next |= t.in; c == '\r' {
				next |= t.escape // \r\n is one
			}
		}
		if s.places&t.in == 0 {
			continue
		}
		switch {
		case c == t.end:
			next |= inCode
		case c == '\\':
			next |= t.escape
		case !newline || t.lines:
			next |= t.in
		}
	}
	if s.places&inTemplate != 0 && c == '$' {
		next |= afterDollar
	}
	if s.places&afterDollar != 0 && c == '{' {
		s.nested = true
		next |= inCode
	}
	return next
}

// commentStep is what a byte in a comment, or on the way to one, leads to.
func commentStep(places lexical, c byte) (next lexical) {
	if places&inLine != 0 {
		switch c {
		case '\n', '\r':
			next |= inCode
		case anyWord:
			next |= inLine | inCode
		default:
			next |= inLine
		}
	}
	switch {
	case places&(inBlock|afterStar) == 0:
	case c == '*':
		next |= afterStar
	case c == '/' && places&inBlock == 0:
		next |= inCode
	case c == '/' && places&afterStar != 0:
		next |= inCode | inBlock
	default:
		next |= inBlock
	}
	for _, way := range []struct {
		from lexical
		c    byte
		to   lexical
	}{
		{afterLess, '!', afterBang}, {afterBang, '-', afterBangDash}, {afterBangDash, '-', inLine},
		{afterDash, '-', afterDashes}, {afterDashes, '>', inLine},
	} {
		if places&way.from != 0 && c == way.c {
			next |= way.to
		}
	}
	return next
}

func regexpStep(place lexical, c byte) lexical {
	switch {
	case c == '\n' || c == '\r':
		return 0
	case place == inRegexpEscape:
		return inRegexp
	case place == inClassEscape:
		return inClass
	case c == '\\' && place == inClass:
		return inClassEscape
	case c == '\\':
		return inRegexpEscape
	case place == inClass && c == ']', place == inRegexp && c != '[' && c != '/':
		return inRegexp
	case place == inRegexp && c == '/':
		return inCode
	}
	return inClass
}
