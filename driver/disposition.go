package driver

import (
	"github.com/omnibucket/storage/internal/headertext"
)

// ResponseDisposition returns the Content-Disposition header that a signed response must have. It
// is ResponseContentDisposition or, if that is "", an attachment with the name ResponseName. If
// both are "", it is "".
func (r *SignRequest) ResponseDisposition() string {
	if r.ResponseContentDisposition != "" {
		return r.ResponseContentDisposition
	}
	if r.ResponseName == "" {
		return ""
	}
	return headertext.Disposition("attachment", r.ResponseName)
}
