package driver

import (
	"github.com/omnibucket/storage/internal/headertext"
)

// ResponseDisposition returns the Content-Disposition that the signer asks for:
// ResponseContentDisposition, else that of ResponseName, else "". It is for drivers.
func (r *SignRequest) ResponseDisposition() string {
	if r.ResponseContentDisposition != "" {
		return r.ResponseContentDisposition
	}
	if r.ResponseName == "" {
		return ""
	}
	return headertext.Disposition("attachment", r.ResponseName)
}
