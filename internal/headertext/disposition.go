package headertext

import (
	"net/url"
	"strings"
)

// Disposition returns the Content-Disposition (RFC 6266) of this kind, attachment or inline, with
// which a browser saves a response under the name: encoded by RFC 8187, and in ASCII for old
// browsers.
func Disposition(kind, name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || strings.ContainsRune(`"\%/`, r) {
			return '_'
		}
		return r
	}, name)
	// PathEscape does not escape some bytes that RFC 8187 forbids.
	encoded := strings.NewReplacer(
		"&", "%26", "=", "%3D", ":", "%3A", "@", "%40", "$", "%24", "+", "%2B",
	).Replace(
		url.PathEscape(name),
	)
	return kind + `; filename="` + ascii + `"; filename*=UTF-8''` + encoded
}
