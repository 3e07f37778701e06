package operations

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// putNotification replaces the notification configuration of the bucket, or removes it with an empty one. Like AWS, it
// sends a test event to each topic and queue, unless the client skips the validation.
func putNotification(r *request.Request) error {
	var doc notification.Configuration
	if err := r.ReadXML(&doc); err != nil {
		return err
	}

	skipsValidation := request.IsTrue(r.HTTP.Header, "X-Amz-Skip-Destination-Validation")
	if !skipsValidation {
		if err := r.Server.Events.CheckTargets(&doc); err != nil {
			return err
		}
	}

	err := changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		b.Notification = &doc
		return nil
	})
	if err != nil {
		return err
	}
	if skipsValidation {
		return nil
	}
	for range len(doc.TopicConfiguration) + len(doc.QueueConfiguration) {
		r.Server.Events.SendTest(r.Target.Bucket, r.ID)
	}
	return nil
}

// getNotification returns the notification configuration of the bucket, which is empty if there is none.
func getNotification(b *state.Bucket) (any, error) {
	if b.Notification == nil {
		return notification.Configuration{}, nil
	}
	return b.Notification, nil
}
