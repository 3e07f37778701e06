// Package urlpath writes keys as paths of URLs, the same way for every provider.
package urlpath

import "strings"

// Escape returns key with every byte escaped but "/" and the unreserved characters of
// RFC 3986. It also escapes "+", which some servers take for a space.
func Escape(key string) string {
	const hexadecimal = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(key))
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexadecimal[c>>4])
			b.WriteByte(hexadecimal[c&15])
		}
	}
	return b.String()
}
