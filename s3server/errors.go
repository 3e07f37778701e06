package s3server

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// asAPIError returns the S3 error for err, which is not nil.
func asAPIError(err error) *s3error.Error {
	e, _ := errors.AsType[*s3error.Error](driverError(err, "")) // which has one
	return e
}

// writeError returns e to the client. A response to HEAD, and a 304, have no body.
func (r *request) writeError(e *s3error.Error) {
	r.leaveDocument() // others need not wait until the client reads
	header := r.w.Header()
	for name, values := range e.Header {
		header[name] = values
	}
	if r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		r.w.WriteHeader(e.Status)
		return
	}
	r.refuse(func() {
		header.Set("Content-Type", "application/xml")
		r.w.WriteHeader(e.Status)
		head := xml.Header
		if e.Status == http.StatusOK {
			head += strings.Repeat(" ", 64) // keeps the connection alive while parts are joined
		}
		r.send(append([]byte(head), errorElement(e, r)...))
	})
}

// errorElement returns the Error element of a response.
func errorElement(e *s3error.Error, r *request) []byte {
	var b bytes.Buffer
	element := func(name, value string) {
		fmt.Fprintf(&b, "<%s>%s</%s>", name, strings.ReplaceAll(xmldoc.Escape(value), "&quot;", `"`), name)
	}
	b.WriteString("<Error>")
	element("Code", e.Code)
	element("Message", e.Message)
	for i := 0; i+1 < len(e.Fields); i += 2 {
		element(e.Fields[i], e.Fields[i+1])
	}
	element("Resource", r.URL.Path)
	element("RequestId", r.id)
	element("HostId", hostID)
	b.WriteString("</Error>")
	return b.Bytes()
}
