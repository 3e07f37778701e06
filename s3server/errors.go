package s3server

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// asAPIError returns the S3 error for err, which is not nil.
func asAPIError(err error) *apiError {
	e, _ := errors.AsType[*apiError](driverError(err, "")) // which has one
	return e
}

// writeError returns e to the client. A response to HEAD, and a 304, have no body.
func (r *request) writeError(e *apiError) {
	r.leaveDocument() // others need not wait until the client reads
	header := r.w.Header()
	for name, values := range e.header {
		header[name] = values
	}
	if r.Method == http.MethodHead || e.status == http.StatusNotModified {
		r.w.WriteHeader(e.status)
		return
	}
	r.refuse(func() {
		header.Set("Content-Type", "application/xml")
		r.w.WriteHeader(e.status)
		head := xml.Header
		if e.status == http.StatusOK {
			head += strings.Repeat(" ", 64) // keeps the connection alive while parts are joined
		}
		r.send(append([]byte(head), errorElement(e, r)...))
	})
}

// errorElement returns the Error element of a response.
func errorElement(e *apiError, r *request) []byte {
	var b bytes.Buffer
	element := func(name, value string) {
		fmt.Fprintf(&b, "<%s>%s</%s>", name, strings.ReplaceAll(escape(value), "&quot;", `"`), name)
	}
	b.WriteString("<Error>")
	element("Code", e.code)
	element("Message", e.message)
	for i := 0; i+1 < len(e.fields); i += 2 {
		element(e.fields[i], e.fields[i+1])
	}
	element("Resource", r.URL.Path)
	element("RequestId", r.id)
	element("HostId", hostID)
	b.WriteString("</Error>")
	return b.Bytes()
}
