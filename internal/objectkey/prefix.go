package objectkey

import "strings"

// CommonPrefix returns the common prefix that stands for key in a listing with this prefix and
// delimiter, which is key up to the first delimiter after prefix. It returns false if no delimiter
// follows prefix.
func CommonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter != "" && strings.HasPrefix(key, prefix) {
		if index := strings.Index(key[len(prefix):], delimiter); index >= 0 {
			return key[:len(prefix)+index+len(delimiter)], true
		}
	}
	return "", false
}

// PrefixEnd returns the smallest string that is greater than every string that begins with prefix,
// and false if all bytes of prefix are 0xFF.
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
