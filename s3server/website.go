package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/website"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

func putWebsite(r *request) error {
	var asked website.Configuration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if err := asked.Check(); err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.website = &asked
		return nil
	})
}

func getWebsite(r *request) error {
	var response website.Configuration
	err := r.view(func(b *bucket) error {
		if b.website == nil {
			return noWebsite(b.name)
		}
		response = *b.website
		return nil
	})
	if err != nil {
		return err
	}
	response.XMLName, response.Xmlns = xml.Name{}, xmldoc.Namespace
	return r.writeXML(response)
}

func noWebsite(bucket string) *s3error.Error {
	return s3error.New("NoSuchWebsiteConfiguration", "BucketName", bucket)
}

func deleteWebsite(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.website = nil
		return nil
	})
}
