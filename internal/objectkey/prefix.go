package objectkey

import "strings"

// CommonPrefix returns the common prefix that stands for key in a listing with the given prefix and
// delimiter. The common prefix is the part of key up to the first delimiter after prefix, with that
// delimiter. If no delimiter follows prefix, CommonPrefix returns false.
func CommonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter != "" && strings.HasPrefix(key, prefix) {
		if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
			return key[:len(prefix)+i+len(delimiter)], true
		}
	}
	return "", false
}

// PrefixEnd returns the smallest string that is greater than every string that begins with prefix. It returns false if
// all bytes of prefix are 0xFF.
func PrefixEnd(prefix string) (string, bool) {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			// Otherwise the byte was 0xFF and is now 0, so the byte before it must be increased.
			return string(end[:i+1]), true
		}
	}
	return "", false
}
