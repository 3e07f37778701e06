// Package lifecycle implements lifecycle rules: objects expire or change their storage class, and
// incomplete uploads are aborted. It has the rules' XML document, and computes their effect at a
// given time.
package lifecycle

import (
	"encoding/xml"

	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A Configuration is the XML document with the lifecycle rules of a bucket.
type Configuration struct {
	XMLName xml.Name `xml:"LifecycleConfiguration"`
	Rule    []Rule
	// Least is [SmallAnywhere] or [SmallByClass]. It selects the small objects that are not
	// transitioned, and comes from a header of the request.
	Least string `xml:"-"`
}

// A Rule is one lifecycle rule. It selects versions and uploads, and has the actions on them.
type Rule struct {
	ID                             string
	Filter                         *filter
	Prefix                         *xmldoc.Text // older form, without Filter
	Status                         string
	Expiration                     *expiration
	Transition                     []transition
	NoncurrentVersionExpiration    *noncurrentExpiration
	NoncurrentVersionTransition    []noncurrentTransition
	AbortIncompleteMultipartUpload *struct{ DaysAfterInitiation *int }
}

// A filter selects the versions of a rule. It has one condition, or several conditions in And.
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

// An expiration is the time of a removal. Exactly one of its fields is set.
type expiration struct {
	Date                      date `xml:",omitempty"`
	Days                      *int
	ExpiredObjectDeleteMarker *bool
}

// A transition is a new storage class and the time of the change, as either Date or Days.
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

// These are the values of Configuration.Least.
const (
	SmallAnywhere = "all_storage_classes_128K"
	SmallByClass  = "varies_by_storage_class"
)

// enabled is a status of a rule, and standard is a storage class.
const (
	enabled  = "Enabled"
	standard = "STANDARD"
)
