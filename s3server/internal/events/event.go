package events

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// An Event is a change of an object. The fields are those of s3server.Event, whose comments
// describe them.
type Event struct {
	Name          string
	Time          time.Time
	Bucket, Key   string
	Size          int64
	ETag          string
	VersionID     string
	Sequencer     string
	Configuration string
	TargetARN     string
	RequestID     string
	SourceIP      string
	Account       string
	BucketOwner   string
	Region        string
}

type eventIdentity struct {
	PrincipalID string `json:"principalId"`
}

type eventRecord struct {
	EventVersion      string            `json:"eventVersion"`
	EventSource       string            `json:"eventSource"`
	AWSRegion         string            `json:"awsRegion"`
	EventTime         string            `json:"eventTime"`
	EventName         string            `json:"eventName"`
	UserIdentity      eventIdentity     `json:"userIdentity"`
	RequestParameters map[string]string `json:"requestParameters"`
	ResponseElements  map[string]string `json:"responseElements"`
	S3                struct {
		SchemaVersion   string `json:"s3SchemaVersion"`
		ConfigurationID string `json:"configurationId"`
		Bucket          struct {
			Name          string        `json:"name"`
			OwnerIdentity eventIdentity `json:"ownerIdentity"`
			ARN           string        `json:"arn"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      *int64 `json:"size,omitempty"`
			ETag      string `json:"eTag,omitempty"`
			VersionID string `json:"versionId,omitempty"`
			Sequencer string `json:"sequencer,omitempty"`
		} `json:"object"`
	} `json:"s3"`
}

// MarshalJSON returns the event in AWS's format, as one element of the list "Records" that a target receives.
func (e Event) MarshalJSON() ([]byte, error) {
	kind, _, _ := strings.Cut(e.Name, ":")
	record := eventRecord{
		EventVersion:      "2.1",
		EventSource:       "aws:s3",
		AWSRegion:         e.Region,
		EventTime:         xmldoc.Time(e.Time),
		EventName:         e.Name,
		UserIdentity:      eventIdentity{"AWS:" + e.Account},
		RequestParameters: map[string]string{"sourceIPAddress": e.SourceIP},
		ResponseElements:  map[string]string{"x-amz-request-id": e.RequestID, "x-amz-id-2": s3error.HostID},
	}
	if !hasSequencer(e.Name) {
		record.EventVersion = "2.3" // AWS added these events later
	}

	// An event without a request comes from the server itself, such as from a lifecycle rule.
	if e.RequestID == "" {
		record.UserIdentity.PrincipalID = "s3.amazonaws.com"
		record.RequestParameters["sourceIPAddress"] = "s3.amazonaws.com"
	} else if e.Account == "" {
		record.UserIdentity.PrincipalID = "Anonymous"
	}

	record.S3.SchemaVersion = "1.0"
	record.S3.ConfigurationID = e.Configuration
	record.S3.Bucket.Name = e.Bucket
	record.S3.Bucket.OwnerIdentity.PrincipalID = e.BucketOwner
	record.S3.Bucket.ARN = "arn:aws:s3:::" + e.Bucket

	// AWS encodes the key like a form field, apart from its slashes.
	o := &record.S3.Object
	o.Key = strings.ReplaceAll(url.QueryEscape(e.Key), "%2F", "/")
	o.ETag = e.ETag
	o.VersionID = e.VersionID
	o.Sequencer = e.Sequencer
	if kind == "ObjectCreated" || kind == "ObjectRestore" {
		o.Size = &e.Size
	}
	return json.Marshal(record)
}

// Removed returns the event of a removal by a request that named the version requestedID, or none if it is "". kind is
// the first word of the event's name, such as ObjectRemoved.
func Removed(kind, key, requestedID string, removal state.Removal) Event {
	e := Event{Name: kind + ":Delete", Key: key, VersionID: removal.ID}
	if removal.Marker && requestedID == "" {
		e.Name = kind + ":DeleteMarkerCreated"
		e.ETag = emptyMD5
	}
	return e
}

const emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"
