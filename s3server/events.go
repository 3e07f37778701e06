package s3server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
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

// MarshalJSON returns the event in AWS's format: one element of the list "Records" that a target
// receives.
func (e Event) MarshalJSON() ([]byte, error) {
	record := eventRecord{
		EventVersion:      "2.1",
		EventSource:       "aws:s3",
		AWSRegion:         e.Region,
		EventTime:         xmldoc.Time(e.Time),
		EventName:         e.Name,
		UserIdentity:      eventIdentity{"AWS:" + e.Account},
		RequestParameters: map[string]string{"sourceIPAddress": e.SourceIP},
		ResponseElements:  map[string]string{"x-amz-request-id": e.RequestID, "x-amz-id-2": hostID},
	}
	kind, _, _ := strings.Cut(e.Name, ":")
	if kind != "ObjectCreated" && kind != "ObjectRemoved" && kind != "ObjectRestore" {
		record.EventVersion = "2.3"
	}
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

// sendsEvents reports whether the configuration has a receiver of events.
func (h *Handler) sendsEvents() bool { return h.config.Notify != nil || h.config.WebhookURL != "" }

// eventOf maps the name of an operation to the name of its event.
var eventOf = map[string]string{
	"PutObject":               "ObjectCreated:Put",
	"PostObject":              "ObjectCreated:Post",
	"CopyObject":              "ObjectCreated:Copy",
	"CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
	"PutObjectTagging":        "ObjectTagging:Put",
	"DeleteObjectTagging":     "ObjectTagging:Delete",
	"PutObjectAcl":            "ObjectAcl:Put",
	"PutObjectRetention":      "ObjectRetention:Put",
	"RestoreObject":           "ObjectRestore:Post",
}

// note prepares the event of a write, if its operation has one. The event is sent after the request
// has succeeded. The event has the same version id as the response.
func (r *request) note(v *state.Version, versionID string) {
	if name := eventOf[r.operation]; name != "" && r.server.sendsEvents() {
		r.events = append(
			r.events,
			Event{
				Name:      name,
				Key:       v.Key,
				Size:      v.Object.Size,
				ETag:      strings.Trim(v.Object.ETag, `"`),
				VersionID: versionID,
			},
		)
	}
}

// noteRemoval prepares the event of a removal, if something was removed.
func noteRemoval(r *request, key, id string, removal state.Removal) {
	if !removal.Missing && r.server.sendsEvents() {
		r.events = append(r.events, removedEvent("ObjectRemoved", key, id, removal))
	}
}

// removedEvent returns the event of a removal. kind is the first word of the event's name, such as
// ObjectRemoved. id is the version that the request named, or "".
func removedEvent(kind, key, id string, removal state.Removal) Event {
	e := Event{Name: kind + ":Delete", Key: key, VersionID: removal.ID}
	if removal.Marker && id == "" {
		e.Name = kind + ":DeleteMarkerCreated"
		e.ETag = emptyMD5
	}
	return e
}

const emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"

// publish sends the events of the request. It runs before the response ends, so a test that has
// received the response has received the events, too.
func publish(r *request) {
	if len(r.events) == 0 {
		return
	}
	source, _, _ := net.SplitHostPort(r.in.RemoteAddr)
	for i := range r.events {
		r.events[i].RequestID = r.id
		r.events[i].SourceIP = source
		r.events[i].Account = r.caller.account
	}
	r.server.publish(context.WithoutCancel(r.in.Context()), r.target.bucket, r.events)
}

// publish sends events to the targets that the bucket's notification configuration selects.
func (h *Handler) publish(ctx context.Context, bucket string, events []Event) {
	b, err := h.store.Bucket(ctx, bucket)
	if err != nil {
		return // the bucket was deleted in the meantime
	}
	for _, e := range events {
		e.Bucket, e.BucketOwner, e.Time, e.Region = bucket, b.Account, h.now(), b.Region
		if kind, _, _ := strings.Cut(e.Name, ":"); kind == "ObjectCreated" || kind == "ObjectRemoved" ||
			kind == "ObjectRestore" {
			e.Sequencer = fmt.Sprintf("%016X", h.sequence.Add(1))
		}
		for _, rule := range b.Notification.All() {
			if rule.Matches(e.Name, e.Key) && h.isTarget(rule.ARN()) {
				e.Configuration, e.TargetARN = rule.ID, rule.ARN()
				h.deliver(e)
			}
		}
	}
}

// A webhookBody is the body of a request to the webhook: AWS's list of records, and the two fields
// that MinIO puts on top of it.
type webhookBody struct {
	EventName string
	Key       string // bucket and key
	Records   []Event
}

// deliver passes an event to Config.Notify, and queues it for the webhook.
func (h *Handler) deliver(e Event) {
	if h.config.Notify != nil {
		h.config.Notify(e)
	}
	if h.config.WebhookURL != "" {
		body, err := json.Marshal(webhookBody{"s3:" + e.Name, e.Bucket + "/" + e.Key, []Event{e}})
		if err != nil {
			panic(err) // cannot fail: an event has only strings and numbers
		}
		h.webhook.Push(body)
	}
}

// sendTestEvent sends AWS's test event, s3:TestEvent, to the webhook.
func sendTestEvent(r *request) {
	if r.server.config.WebhookURL == "" {
		return
	}
	body, err := json.Marshal(struct {
		Service, Event, Time, Bucket string

		RequestID string `json:"RequestId"`
		HostID    string `json:"HostId"`
	}{"Amazon S3", "s3:TestEvent", xmldoc.Time(r.server.now()), r.target.bucket, r.id, hostID})
	if err == nil {
		r.server.webhook.Push(body)
	}
}

// LostEvents returns the number of events that the webhook did not receive. Either the webhook did
// not accept them, or too many events were waiting.
func (h *Handler) LostEvents() int64 { return h.webhook.LostEvents() }

// isTarget reports whether an ARN matches one of Config.EventARNs.
func (h *Handler) isTarget(arn string) bool {
	return slices.ContainsFunc(h.config.EventARNs, func(pattern string) bool { return wildcard.Match(pattern, arn) })
}

// checkTargets fails if the configuration has an ARN that matches none of Config.EventARNs.
func checkTargets(h *Handler, c *notification.Configuration) error {
	var missing []string
	for _, rule := range c.All() {
		if !h.sendsEvents() || !h.isTarget(rule.ARN()) {
			n := strconv.Itoa(len(missing)/4 + 1)
			missing = append(missing, "ArgumentName"+n, rule.ARN(), "ArgumentValue"+n, "The destination does not exist")
		}
	}
	if missing != nil {
		return s3error.New(
			"InvalidArgument",
			missing...).WithMessage("Unable to validate the following destination configurations")
	}
	return nil
}

// putNotification replaces the notification configuration of the bucket. An empty configuration
// removes it. Like AWS, it sends a test event to each topic and queue, unless the client skips the
// validation.
func putNotification(r *request) error {
	var asked notification.Configuration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	skip := isTrue(r.in.Header, "X-Amz-Skip-Destination-Validation")
	if !skip {
		if err := checkTargets(r.server, &asked); err != nil {
			return err
		}
	}
	err := r.setting(http.StatusOK, func(b *state.Bucket) error {
		b.Notification = &asked
		return nil
	})
	if err == nil && !skip {
		for range len(asked.TopicConfiguration) + len(asked.QueueConfiguration) {
			sendTestEvent(r)
		}
	}
	return err
}

func getNotification(b *state.Bucket) (any, error) {
	if b.Notification == nil {
		return notification.Configuration{}, nil
	}
	return b.Notification, nil
}
