package s3server

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type accelerateConfiguration struct {
	XMLName xml.Name       `xml:"AccelerateConfiguration"`
	Xmlns   string         `xml:"xmlns,attr,omitempty"`
	Status  string         `xml:",omitempty"`
	Unknown xmldoc.Unknown `xml:",any"`
}

func getAcceleration(r *request) error {
	response := accelerateConfiguration{Xmlns: xmldoc.Namespace}
	err := r.view(func(b *bucket) error {
		response.Status = b.acceleration
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

// putAcceleration keeps the status. It changes nothing else: a server on a loopback port has no
// edge locations.
func putAcceleration(r *request) error {
	var asked accelerateConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if asked.Status != enabled && asked.Status != suspended || len(asked.Unknown) > 0 {
		return s3error.New("MalformedXML")
	}
	if strings.Contains(r.target.bucket, ".") {
		return s3error.New("InvalidRequest").WithMessage("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.acceleration = asked.Status
		return nil
	})
}
