// Package lifecycle has the rules by which objects expire or change their storage class, and by
// which uploads are aborted: their document, and their effect on a version at a given time.
package lifecycle

import (
	"encoding/xml"

	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A Configuration is the document with the rules of a bucket.
type Configuration struct {
	XMLName xml.Name `xml:"LifecycleConfiguration"`
	Rule    []Rule
	// Least is [SmallAnywhere] or [SmallByClass], from a header of the request.
	Least string `xml:"-"`
}

// A Rule says what happens to some versions and uploads, and when.
type Rule struct {
	ID                             string
	Filter                         *filter
	Prefix                         *xmldoc.Text // in place of Filter
	Status                         string
	Expiration                     *expiration
	Transition                     []transition
	NoncurrentVersionExpiration    *noncurrentExpiration
	NoncurrentVersionTransition    []noncurrentTransition
	AbortIncompleteMultipartUpload *struct{ DaysAfterInitiation *int }
}

// A filter has one condition, or several in And.
type filter struct {
	Prefix                *xmldoc.Text
	Tag                   *tagging.Element
	ObjectSizeGreaterThan *int64
	ObjectSizeLessThan    *int64
	And                   *struct {
		Prefix                *xmldoc.Text
		Tag                   []tagging.Element
		ObjectSizeGreaterThan *int64
		ObjectSizeLessThan    *int64
	}
}

// A expiration has exactly one of its fields.
type expiration struct {
	Date                      date `xml:",omitempty"`
	Days                      *int
	ExpiredObjectDeleteMarker *bool
}

// A transition has Date or Days.
type transition struct {
	Date         date `xml:",omitempty"`
	Days         *int
	StorageClass string
}

type noncurrentExpiration struct {
	NoncurrentDays          *int
	NewerNoncurrentVersions *int
}

type noncurrentTransition struct {
	NoncurrentDays          *int
	NewerNoncurrentVersions *int
	StorageClass            string
}

// These are the values of Least.
const (
	SmallAnywhere = "all_storage_classes_128K"
	SmallByClass  = "varies_by_storage_class"
)

// These are values in rules and versions.
const (
	enabled  = "Enabled"
	standard = "STANDARD"
)
