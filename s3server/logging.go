package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type loggingStatus struct {
	XMLName        xml.Name `xml:"BucketLoggingStatus"`
	LoggingEnabled *struct {
		TargetBucket          string
		TargetPrefix          *string
		TargetGrants          *struct{}
		TargetObjectKeyFormat *struct{}
		Unknown               xmldoc.Unknown `xml:",any"`
	}
	Unknown xmldoc.Unknown `xml:",any"`
}

// putLogging keeps the configuration. The server writes no log. AWS delivers logs on a best-effort
// basis within hours, so that no client can rely on one.
func putLogging(r *request) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	var asked loggingStatus
	if err := xmldoc.Parse(document, &asked); err != nil {
		return err
	}
	to := asked.LoggingEnabled
	switch {
	case len(asked.Unknown) > 0, to != nil && (len(to.Unknown) > 0 || to.TargetBucket == "" || to.TargetPrefix == nil):
		return s3error.New("MalformedXML")
	case to == nil:
		document = nil
	}
	if to != nil {
		if err := checkLogTarget(r, to.TargetBucket); err != nil {
			return err
		}
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.logging = document
		return nil
	})
}

// checkLogTarget fails unless a bucket of the same owner has this name.
func checkLogTarget(r *request, name string) error {
	target, err := r.server.store.bucket(r.Context(), name)
	if err != nil {
		return s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name)
	}
	return r.view(func(b *bucket) error {
		if target.account != b.account {
			return s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name).
				WithMessage("The owner for the bucket to be logged and the target bucket must be the same.")
		}
		return nil
	})
}

func getLogging(r *request) error {
	document := []byte(xml.Header + `<BucketLoggingStatus xmlns="` + xmldoc.Namespace + `"/>`)
	err := r.view(func(b *bucket) error {
		if b.logging != nil {
			document = b.logging
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/xml")
	r.w.WriteHeader(http.StatusOK)
	r.send(document)
	return nil
}
