package words

import "unicode/utf8"

// WholeCharacters returns the range of data that contains only whole UTF-8 characters. If precedes
// is true, more text precedes data, and a cut character at the start of data is left out. If
// follows is true, more text follows data, and a cut character at the end of data is left out.
func WholeCharacters(data []byte, precedes, follows bool) (from, to int) {
	to = len(data)
	for precedes && from < min(to, utf8.UTFMax-1) && !utf8.RuneStart(data[from]) {
		from++
	}
	for back := 1; follows && back <= min(to-from, utf8.UTFMax); back++ {
		if utf8.RuneStart(data[to-back]) {
			if !utf8.FullRune(data[to-back : to]) {
				to -= back
			}
			break
		}
	}
	return from, to
}
