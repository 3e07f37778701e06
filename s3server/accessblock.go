package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type accessBlock struct {
	XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
	Xmlns                 string   `xml:"xmlns,attr,omitempty"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

func getAccessBlock(r *request) error {
	var response accessBlock
	err := r.view(func(b *bucket) error {
		if b.block == nil {
			return s3error.New("NoSuchPublicAccessBlockConfiguration", "BucketName", b.name)
		}
		response = *b.block
		return nil
	})
	if err != nil {
		return err
	}
	response.XMLName, response.Xmlns = xml.Name{}, xmldoc.Namespace
	return r.writeXML(response)
}

func putAccessBlock(r *request) error {
	var asked accessBlock
	if err := r.readXML(&asked); err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.block = &asked
		return nil
	})
}

func deleteAccessBlock(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.block = nil
		return nil
	})
}
