package words

import "unicode/utf8"

// Beginning returns the beginning of text without cutting a character. limit is the largest number of
// bytes.
func Beginning(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// WholeCharacters returns the range of data that contains only whole UTF-8 characters. If cutStart
// is true, more text comes before data, and the range leaves out a partial character at the start.
// If cutEnd is true, more text comes after data, and the range leaves out a partial character at
// the end.
func WholeCharacters(data []byte, cutStart, cutEnd bool) (from, to int) {
	to = len(data)
	if cutStart {
		// A character has at most three bytes after its first one.
		for from < min(to, utf8.UTFMax-1) && !utf8.RuneStart(data[from]) {
			from++
		}
	}
	if !cutEnd {
		return from, to
	}

	// Go back to the first byte of the last character.
	for start := to - 1; start >= max(from, to-utf8.UTFMax); start-- {
		if !utf8.RuneStart(data[start]) {
			continue
		}
		if !utf8.FullRune(data[start:to]) {
			to = start
		}
		break
	}
	return from, to
}
