package httpheader

import "strings"

// IsName reports whether a caller may use name as the name of a header or a parameter. It may have
// letters, digits, ".", "_" and "-", and must begin with a letter or a digit.
func IsName(name string) bool {
	isForbidden := func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("._-", c) }
	return name != "" && isAlphanumeric(rune(name[0])) && !strings.ContainsFunc(name, isForbidden)
}

func isAlphanumeric(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// IsPrintable reports whether a value has only printable ASCII.
func IsPrintable(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' })
}
