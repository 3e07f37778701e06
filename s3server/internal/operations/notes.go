package operations

import (
	"context"
	"net"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/events"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/state"
)

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

// prepareEvent adds the event of a write, if its operation has one, to the events that are sent after the
// request has succeeded. versionID is the id of the version in the response.
func prepareEvent(r *request.Request, v *state.Version, versionID string) {
	name := eventOf[r.Operation]
	if name == "" || !r.Server.Events.Sends() {
		return
	}
	r.Events = append(r.Events, events.Event{
		Name:      name,
		Key:       v.Key,
		Size:      v.Object.Size,
		ETag:      strings.Trim(v.Object.ETag, `"`),
		VersionID: versionID,
	})
}

// prepareRemovalEvent prepares the event of a removal, if something was removed.
func prepareRemovalEvent(r *request.Request, key, id string, removal state.Removal) {
	if !removal.Missing && r.Server.Events.Sends() {
		r.Events = append(r.Events, events.Removed("ObjectRemoved", key, id, removal))
	}
}

// Publish sends the events of the request, before the response ends, so that a test that has received the
// response has also received the events.
func Publish(r *request.Request) {
	if len(r.Events) == 0 {
		return
	}

	source, _, _ := net.SplitHostPort(r.HTTP.RemoteAddr)
	for i := range r.Events {
		r.Events[i].RequestID = r.ID
		r.Events[i].SourceIP = source
		r.Events[i].Account = r.Caller.Account
	}
	r.Server.Events.Publish(context.WithoutCancel(r.HTTP.Context()), r.Target.Bucket, r.Events)
}
