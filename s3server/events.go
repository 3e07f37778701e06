package s3server

import (
	"time"

	"github.com/omnibucket/storage/s3server/internal/events"
)

// DefaultEventARN is a target that a notification configuration can name if Config.EventARNs is
// nil. It is the SNS topic "events" of [DefaultAccountID] in [DefaultRegion].
const DefaultEventARN = "arn:aws:sns:us-east-1:" + DefaultAccountID + ":events"

// An Event is a change of an object that the notification configuration of its bucket selects.
type Event struct {
	Name          string // such as "ObjectCreated:Put"
	Time          time.Time
	Bucket, Key   string
	Size          int64  // bytes of the object; 0 if it was removed
	ETag          string // without quotes; "" if the object was removed
	VersionID     string // "" if the bucket never kept versions
	Sequencer     string // for two events of one key, the later event has the greater string
	Configuration string // the Id of the rule in the bucket's configuration
	TargetARN     string // ARN of the topic, queue or function in that rule
	RequestID     string // ID of the request that caused the event; "" for a lifecycle rule
	SourceIP      string // IP address of the client of that request
	Account       string // account that sent the request; "" if it was anonymous
	BucketOwner   string // account that owns the bucket
	Region        string
}

// MarshalJSON returns the event in AWS's format: one element of the list "Records" that a target
// receives.
func (e Event) MarshalJSON() ([]byte, error) { return events.Event(e).MarshalJSON() }

// LostEvents returns the number of events that the webhook did not receive. Either the webhook did
// not accept them, or too many events were waiting.
func (h *Handler) LostEvents() int64 { return h.webhook.LostEvents() }
