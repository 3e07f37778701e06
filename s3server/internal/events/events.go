// Package events sends the events of changed objects to the receivers that the program and the
// notification configurations of buckets name. Its main type is [Sender].
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/webhook"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A Sender sends events.
type Sender struct {
	Notify  func(Event)      // receives each event; nil if there is no such receiver
	Webhook *webhook.Webhook // receives each event; nil if there is none
	ARNs    []string         // patterns of the targets that notification configurations can name
	Store   state.Store
	Now     func() time.Time

	sequence atomic.Int64 // sequencer of the latest event
}

// Begin sets the sequencer of the first event. It must be greater than any sequencer before a
// restart of the server.
func (s *Sender) Begin(sequencer int64) { s.sequence.Store(sequencer) }

// Sends reports whether there is a receiver of events.
func (s *Sender) Sends() bool { return s.Notify != nil || s.Webhook != nil }

// Publish sends events to the targets that the bucket's notification rules name for them.
func (s *Sender) Publish(ctx context.Context, bucket string, events []Event) {
	b, err := s.Store.Bucket(ctx, bucket)
	if err != nil {
		// The bucket was deleted in the meantime.
		return
	}
	for _, e := range events {
		e.Bucket = bucket
		e.BucketOwner = b.Account
		e.Region = b.Region
		e.Time = s.Now()
		if hasSequencer(e.Name) {
			e.Sequencer = fmt.Sprintf("%016X", s.sequence.Add(1))
		}

		for _, rule := range b.Notification.All() {
			if !rule.Matches(e.Name, e.Key) || !s.isTarget(rule.ARN()) {
				continue
			}
			e.Configuration = rule.ID
			e.TargetARN = rule.ARN()
			s.deliver(e)
		}
	}
}

// hasSequencer reports whether the event with this name has a sequencer.
func hasSequencer(name string) bool {
	kind, _, _ := strings.Cut(name, ":")
	return kind == "ObjectCreated" || kind == "ObjectRemoved" || kind == "ObjectRestore"
}

// A webhookBody is the body of a request to the webhook: AWS's list of records, and the two fields
// that MinIO puts on top of it.
type webhookBody struct {
	EventName string
	Key       string // bucket and key
	Records   []Event
}

// deliver calls Notify with an event and puts it into the queue of the webhook. Either may be nil.
func (s *Sender) deliver(e Event) {
	if s.Notify != nil {
		s.Notify(e)
	}
	if s.Webhook == nil {
		return
	}
	body, err := json.Marshal(webhookBody{
		EventName: "s3:" + e.Name,
		Key:       e.Bucket + "/" + e.Key,
		Records:   []Event{e},
	})
	if err != nil {
		// An event has only strings and numbers, so its encoding cannot fail.
		panic(err)
	}
	s.Webhook.Push(body)
}

// SendTest sends AWS's test event, s3:TestEvent, to the webhook, if there is one. requestID is the id of the request
// that configured the bucket.
func (s *Sender) SendTest(bucket, requestID string) {
	if s.Webhook == nil {
		return
	}
	body, err := json.Marshal(struct {
		Service, Event, Time, Bucket string

		RequestID string `json:"RequestId"`
		HostID    string `json:"HostId"`
	}{"Amazon S3", "s3:TestEvent", xmldoc.Time(s.Now()), bucket, requestID, s3error.HostID})
	if err == nil {
		s.Webhook.Push(body)
	}
}

// isTarget reports whether an ARN matches one of ARNs.
func (s *Sender) isTarget(arn string) bool {
	return slices.ContainsFunc(s.ARNs, func(pattern string) bool { return wildcard.Match(pattern, arn) })
}

// CheckTargets fails if a rule of the configuration has an ARN to which the server sends no events. The error names all
// such ARNs.
func (s *Sender) CheckTargets(c *notification.Configuration) error {
	var fields []string // names and values in the error response
	invalidCount := 0
	for _, rule := range c.All() {
		if s.Sends() && s.isTarget(rule.ARN()) {
			continue
		}
		invalidCount++
		n := strconv.Itoa(invalidCount)
		fields = append(fields, "ArgumentName"+n, rule.ARN())
		fields = append(fields, "ArgumentValue"+n, "The destination does not exist")
	}
	if invalidCount == 0 {
		return nil
	}
	return s3error.New("InvalidArgument", fields...).
		WithMessage("Unable to validate the following destination configurations")
}
