// Package urlpath writes keys and values as parts of URLs, the same way for every provider.
package urlpath

// Escape returns key with every byte escaped but "/" and the unreserved characters of
// RFC 3986. It also escapes "+", which some servers take for a space.
func Escape(key string) string { return string(Append(make([]byte, 0, len(key)), key)) }

// EscapeAll returns text with every byte escaped but the unreserved characters, as a value of a query
// or one segment of a path.
func EscapeAll(text string) string { return string(AppendAll(make([]byte, 0, len(text)), text)) }

// Append appends what Escape returns.
func Append(dst []byte, key string) []byte { return appendBut('/', dst, key) }

// AppendAll appends what EscapeAll returns.
func AppendAll[T string | []byte](dst []byte, text T) []byte { return appendBut('~', dst, text) }

// appendBut keeps the unreserved characters and one other.
func appendBut[T string | []byte](kept byte, dst []byte, text T) []byte {
	const hexadecimal = "0123456789ABCDEF"
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == kept:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hexadecimal[c>>4], hexadecimal[c&15])
		}
	}
	return dst
}
