package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// leastSizeHeader says which small objects are not transitioned.
const leastSizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"

// putLifecycle replaces the rules. A rule without an ID gets one.
func putLifecycle(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	asked := lifecycle.Configuration{Least: lifecycle.SmallAnywhere}
	if value := r.Header.Get(leastSizeHeader); value != "" {
		if asked.Least = value; value != lifecycle.SmallAnywhere && value != lifecycle.SmallByClass {
			return s3error.New("InvalidRequest").WithMessage("Invalid TransitionDefaultMinimumObjectSize found: %s", value)
		}
	}
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if err := asked.Check(); err != nil {
		return err
	}
	r.w.Header().Set(leastSizeHeader, asked.Least)
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.lifecycle = &asked
		return nil
	})
}

func getLifecycle(r *request) error {
	var response lifecycle.Configuration
	err := r.view(func(b *bucket) error {
		if b.lifecycle == nil {
			return s3error.New("NoSuchLifecycleConfiguration", "BucketName", b.name)
		}
		response = *b.lifecycle
		return nil
	})
	if err != nil {
		return err
	}
	r.w.Header().Set(leastSizeHeader, response.Least)
	response.XMLName, response.Xmlns = xml.Name{}, xmldoc.Namespace
	return r.writeXML(response)
}

func deleteLifecycle(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.lifecycle = nil
		return nil
	})
}
