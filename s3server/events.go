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

// DefaultEventARN is a target of events if Config.EventARNs is nil: the topic "events" of
// [DefaultAccountID] in [DefaultRegion].
const DefaultEventARN = "arn:aws:sns:us-east-1:" + DefaultAccountID + ":events"

// An Event is something that happened to an object, and that the notification configuration of
// its bucket asks for.
type Event struct {
	Name          string // as in "ObjectCreated:Put"
	Time          time.Time
	Bucket, Key   string
	Size          int64  // bytes of the object; 0 if it was removed
	ETag          string // without quotes; "" if the object was removed
	VersionID     string // "" if the bucket never kept versions
	Sequencer     string // orders the writes and removals of a key, as text
	Configuration string // the Id of the rule in the bucket's configuration
	TargetARN     string // ARN in that rule
	RequestID     string // ID of the request that caused the event; "" for a lifecycle rule
	SourceIP      string // IP address of the client of that request
	Account       string // account that sent the request; "" if it was anonymous
	BucketOwner   string // the account
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

// MarshalJSON returns AWS's record of the event: one element of the list "Records" that a target
// receives.
func (e Event) MarshalJSON() ([]byte, error) {
	record := eventRecord{
		EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: e.Region, EventTime: xmldoc.Time(e.Time),
		EventName: e.Name, UserIdentity: eventIdentity{"AWS:" + e.Account},
		RequestParameters: map[string]string{"sourceIPAddress": e.SourceIP},
		ResponseElements:  map[string]string{"x-amz-request-id": e.RequestID, "x-amz-id-2": hostID},
	}
	kind, _, _ := strings.Cut(e.Name, ":")
	if kind != "ObjectCreated" && kind != "ObjectRemoved" && kind != "ObjectRestore" {
		record.EventVersion = "2.3"
	}
	switch {
	case e.RequestID == "":
		record.UserIdentity.PrincipalID = "s3.amazonaws.com"
		record.RequestParameters["sourceIPAddress"] = "s3.amazonaws.com"
	case e.Account == "":
		record.UserIdentity.PrincipalID = "Anonymous"
	}
	record.S3.SchemaVersion, record.S3.ConfigurationID = "1.0", e.Configuration
	record.S3.Bucket.Name, record.S3.Bucket.OwnerIdentity.PrincipalID = e.Bucket, e.BucketOwner
	record.S3.Bucket.ARN = "arn:aws:s3:::" + e.Bucket
	o := &record.S3.Object
	o.Key = strings.ReplaceAll(url.QueryEscape(e.Key), "%2F", "/")
	o.ETag, o.VersionID, o.Sequencer = e.ETag, e.VersionID, e.Sequencer
	if kind == "ObjectCreated" || kind == "ObjectRestore" {
		o.Size = &e.Size
	}
	return json.Marshal(record)
}

// sendsEvents reports whether events are sent anywhere.
func (h *Handler) sendsEvents() bool { return h.config.Notify != nil || h.config.WebhookURL != "" }

// eventOf maps operations that write to their events.
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

// note keeps the event of a write, if its operation has one, until the request has succeeded.
// shown is the x-amz-version-id of the response.
func (r *request) note(v *state.Version, shown string) {
	if name := eventOf[r.operation]; name != "" && r.server.sendsEvents() {
		r.events = append(
			r.events,
			Event{
				Name: name, Key: v.Key, Size: v.Object.Size,
				ETag:      strings.Trim(v.Object.ETag, `"`),
				VersionID: shown,
			},
		)
	}
}

// noteRemoval keeps the event of a removal.
func noteRemoval(r *request, key, id string, gone state.Removal) {
	if !gone.Missing && r.server.sendsEvents() {
		r.events = append(r.events, removedEvent("ObjectRemoved", key, id, gone))
	}
}

// removedEvent returns the event of a removal. kind is the first word of the event's name, and id is
// the version that the request named.
func removedEvent(kind, key, id string, gone state.Removal) Event {
	e := Event{Name: kind + ":Delete", Key: key, VersionID: gone.ID}
	if gone.Marker && id == "" {
		e.Name, e.ETag = kind+":DeleteMarkerCreated", emptyMD5
	}
	return e
}

const emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"

// publish sends the events of the request. The response ends only afterwards, so that a test with
// the response has seen the events, too.
func publish(r *request) {
	if len(r.events) == 0 {
		return
	}
	source, _, _ := net.SplitHostPort(r.in.RemoteAddr)
	for i := range r.events {
		r.events[i].RequestID, r.events[i].SourceIP, r.events[i].Account = r.id, source, r.caller.account
	}
	r.server.publish(context.WithoutCancel(r.in.Context()), r.target.bucket, r.events)
}

// publish sends events to the targets that the bucket's configuration names for them.
func (h *Handler) publish(ctx context.Context, bucket string, events []Event) {
	b, err := h.store.Bucket(ctx, bucket)
	if err != nil {
		return // the bucket was deleted meanwhile, with its configuration
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

// deliver hands an event to Config.Notify and to the webhook.
func (h *Handler) deliver(e Event) {
	if h.config.Notify != nil {
		h.config.Notify(e)
	}
	if h.config.WebhookURL != "" {
		body, err := json.Marshal(map[string][]Event{"Records": {e}})
		if err != nil {
			panic(err) // an event has only texts and numbers
		}
		h.webhook.Push(body)
	}
}

// sendTestEvent sends an event to the webhook if a configuration names it.
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

// LostEvents returns how many events the webhook did not get: it did not accept them, or too many
// others waited.
func (h *Handler) LostEvents() int64 { return h.webhook.LostEvents() }

// isTarget reports whether an ARN is among Config.EventARNs.
func (h *Handler) isTarget(arn string) bool {
	return slices.ContainsFunc(h.config.EventARNs, func(pattern string) bool { return wildcard.Match(pattern, arn) })
}

// checkTargets refuses ARNs that are not among Config.EventARNs.
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
			missing...).WithMessage(
			"Unable to validate the following destination configurations",
		)
	}
	return nil
}

// putNotification replaces the configuration; an empty configuration removes it. Unless the
// client skips the validation, each topic and queue gets a test event, as on AWS.
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
