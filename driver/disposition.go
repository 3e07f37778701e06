package driver

import (
	"github.com/omnibucket/storage/internal/headertext"
)

// ResponseDisposition returns the Content-Disposition header that a signed response must have:
// ResponseContentDisposition, or else an attachment with the name ResponseName, or "" if both are "".
func (r *SignRequest) ResponseDisposition() string {
	if r.ResponseContentDisposition != "" {
		return r.ResponseContentDisposition
	}
	if r.ResponseName == "" {
		return ""
	}
	return headertext.Disposition("attachment", r.ResponseName)
}
