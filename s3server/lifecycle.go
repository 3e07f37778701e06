package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type lifecycleConfiguration struct {
	XMLName xml.Name `xml:"LifecycleConfiguration"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Rule    []lifecycleRule
	Unknown xmldoc.Unknown `xml:",any"`
	// Least is smallAnywhere or smallByClass, from a header of the request.
	Least string `xml:"-"`
}

type lifecycleRule struct {
	ID                             string
	Filter                         *lifecycleFilter
	Prefix                         *xmldoc.Text // instead of Filter
	Status                         string
	Expiration                     *lifecycleExpiration
	Transition                     []lifecycleTransition
	NoncurrentVersionExpiration    *noncurrentExpiration
	NoncurrentVersionTransition    []noncurrentTransition
	AbortIncompleteMultipartUpload *struct{ DaysAfterInitiation *int }
	Unknown                        xmldoc.Unknown `xml:",any"`
}

// A lifecycleFilter has one condition, or several in And.
type lifecycleFilter struct {
	Prefix                *xmldoc.Text
	Tag                   *tagging.Element
	ObjectSizeGreaterThan *int64
	ObjectSizeLessThan    *int64
	And                   *struct {
		Prefix                *xmldoc.Text
		Tag                   []tagging.Element
		ObjectSizeGreaterThan *int64
		ObjectSizeLessThan    *int64
		Unknown               xmldoc.Unknown `xml:",any"`
	}
	Unknown xmldoc.Unknown `xml:",any"`
}

// A lifecycleExpiration has exactly one of its fields.
type lifecycleExpiration struct {
	Date                      lifecycleDate `xml:",omitempty"`
	Days                      *int
	ExpiredObjectDeleteMarker *bool
	Unknown                   xmldoc.Unknown `xml:",any"`
}

// A lifecycleTransition has Date or Days.
type lifecycleTransition struct {
	Date         lifecycleDate `xml:",omitempty"`
	Days         *int
	StorageClass string
	Unknown      xmldoc.Unknown `xml:",any"`
}

type noncurrentExpiration struct {
	NoncurrentDays          *int
	NewerNoncurrentVersions *int
	Unknown                 xmldoc.Unknown `xml:",any"`
}

type noncurrentTransition struct {
	NoncurrentDays          *int
	NewerNoncurrentVersions *int
	StorageClass            string
	Unknown                 xmldoc.Unknown `xml:",any"`
}

// The header that says which small objects are not transitioned, and its two values.
const (
	leastSizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"
	smallAnywhere   = "all_storage_classes_128K"
	smallByClass    = "varies_by_storage_class"
)

// putLifecycle replaces the rules. A rule without an ID gets one.
func putLifecycle(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	asked := lifecycleConfiguration{Least: smallAnywhere}
	if value := r.Header.Get(leastSizeHeader); value != "" {
		if asked.Least = value; value != smallAnywhere && value != smallByClass {
			return s3error.New("InvalidRequest").WithMessage("Invalid TransitionDefaultMinimumObjectSize found: %s", value)
		}
	}
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if err := asked.check(); err != nil {
		return err
	}
	r.w.Header().Set(leastSizeHeader, asked.Least)
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.lifecycle = &asked
		return nil
	})
}

func getLifecycle(r *request) error {
	var response lifecycleConfiguration
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
