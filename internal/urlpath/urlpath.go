// Package urlpath escapes keys and values for use in URLs, in the same way for every provider.
package urlpath

// Escape percent-encodes key, except "/" and the unreserved characters of RFC 3986. In particular
// it encodes "+", which some servers take for a space.
func Escape(key string) string { return string(Append(make([]byte, 0, len(key)), key)) }

// EscapeAll percent-encodes text, except the unreserved characters. The result can be a value in a
// query, or one segment of a path.
func EscapeAll(text string) string { return string(AppendAll(make([]byte, 0, len(text)), text)) }

// Append appends the result of [Escape] for key to dst.
func Append(dst []byte, key string) []byte { return appendBut('/', dst, key) }

// AppendAll appends the result of [EscapeAll] for text to dst.
func AppendAll[T string | []byte](dst []byte, text T) []byte { return appendBut('~', dst, text) }

// appendBut percent-encodes text, and appends the result to dst. It encodes neither the unreserved
// characters nor the character in its first argument.
func appendBut[T string | []byte](safe byte, dst []byte, text T) []byte {
	const hexadecimal = "0123456789ABCDEF"
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' || c == safe {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexadecimal[c>>4], hexadecimal[c&15])
		}
	}
	return dst
}
