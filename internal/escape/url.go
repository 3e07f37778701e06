// Package escape escapes keys and values for URLs, and documents in JSON, in the same way for every provider.
//
// Some services accept no JSON with other characters than ASCII. Others compute a signature from the bytes of a
// document, and ASCII leaves no doubt about these bytes.
package escape

// Path percent-encodes key, except "/" and the unreserved characters of RFC 3986. In particular
// it encodes "+", which some servers take for a space.
func Path(key string) string { return string(AppendPath(make([]byte, 0, len(key)), key)) }

// All percent-encodes text, except the unreserved characters. The result can be a value in a
// query, or one segment of a path.
func All(text string) string { return string(AppendAll(make([]byte, 0, len(text)), text)) }

// AppendPath appends the result of [Path] for key to dst.
func AppendPath(dst []byte, key string) []byte { return appendEscaped(dst, key, '/') }

// AppendAll appends the result of [All] for text to dst.
func AppendAll[T string | []byte](dst []byte, text T) []byte { return appendEscaped(dst, text, '~') }

// appendEscaped percent-encodes text, and appends the result to dst. It encodes neither the
// unreserved characters nor safe.
func appendEscaped[T string | []byte](dst []byte, text T, safe byte) []byte {
	const hexadecimal = "0123456789ABCDEF"
	for _, c := range []byte(text) {
		if isUnreserved(c) || c == safe {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexadecimal[c>>4], hexadecimal[c&15])
		}
	}
	return dst
}

// isUnreserved reports whether c is an unreserved character of RFC 3986.
func isUnreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z':
		return true
	case 'A' <= c && c <= 'Z':
		return true
	case '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}
