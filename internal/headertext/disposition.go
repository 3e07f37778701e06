package headertext

import (
	"net/url"
	"strings"
)

// Disposition returns a Content-Disposition header (RFC 6266) that makes a browser save a response
// under name. kind is "attachment" or "inline". The name is encoded as RFC 8187 requires, and also
// in ASCII for old browsers.
func Disposition(kind, name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || strings.ContainsRune(`"\%/`, r) {
			return '_'
		}
		return r
	}, name)

	// PathEscape does not escape some bytes that RFC 8187 forbids.
	encoded := strings.NewReplacer("&", "%26", "=", "%3D", ":", "%3A", "@", "%40", "$", "%24", "+", "%2B").
		Replace(url.PathEscape(name))
	return kind + `; filename="` + ascii + `"; filename*=UTF-8''` + encoded
}
