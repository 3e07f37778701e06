package words

import "unicode/utf8"

// Beginning returns at most limit bytes from the beginning of text, without cutting a character.
func Beginning(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// WholeCharacters returns the range of data without a partial UTF-8 character at the start if
// cutStart is true, and at the end if cutEnd is true.
func WholeCharacters(data []byte, cutStart, cutEnd bool) (from, to int) {
	if cutStart {
		// A character has at most three bytes after its first one.
		for from < min(len(data), utf8.UTFMax-1) && !utf8.RuneStart(data[from]) {
			from++
		}
	}
	if cutEnd {
		return from, from + wholeLength(data[from:])
	}
	return from, len(data)
}

// wholeLength returns the length of data without a partial character at the end.
func wholeLength(data []byte) int {
	// Go back to the first byte of the last character.
	for start := len(data) - 1; start >= max(0, len(data)-utf8.UTFMax); start-- {
		if !utf8.RuneStart(data[start]) {
			continue
		}
		if !utf8.FullRune(data[start:]) {
			return start
		}
		break
	}
	return len(data)
}
