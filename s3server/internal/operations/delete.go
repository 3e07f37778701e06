package operations

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// deleteObject deletes an object and, like S3, responds with 204 even if there was none.
func deleteObject(r *request.Request) error {
	// An id of "" means the current object.
	id, err := r.VersionID()
	if err != nil {
		return err
	}
	if err := checkBypass(r); err != nil {
		return err
	}
	if headertext.Lines(r.HTTP.Header, "If-None-Match") != "" {
		return s3error.New("NotImplemented", "Header", "If-None-Match")
	}

	removal, err := removeVersion(r, r.Target.Key, id, headertext.Lines(r.HTTP.Header, "If-Match"))
	if err != nil {
		return err
	}
	prepareRemovalEvent(r, r.Target.Key, id, removal)

	header := r.Writer.Header()
	if removal.Marker {
		header.Set("X-Amz-Delete-Marker", "true")
	}
	if removal.ID != "" {
		header.Set("X-Amz-Version-Id", removal.ID)
	}
	return r.Done(http.StatusNoContent)
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []unwantedObject
}

type unwantedObject struct {
	Key, ETag string
	// LastModifiedTime and Size are conditions that S3 supports only for directory buckets.
	LastModifiedTime, Size string
	VersionID              string `xml:"VersionId"`
}

type deleteResult struct {
	Deleted []deletedObject
	Error   []deleteError
}

type deletedObject struct {
	Key                   xmldoc.Text
	VersionID             string `xml:"VersionId,omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteError struct {
	Key       xmldoc.Text
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   xmldoc.Text
}

// deleteObjects deletes the objects that the document lists, and responds with 200 and a result for each.
func deleteObjects(r *request.Request) error {
	var doc deleteRequest
	if err := r.ReadXMLWithDigest(&doc); err != nil {
		return err
	}
	if err := checkBypass(r); err != nil {
		return err
	}
	if len(doc.Object) == 0 || len(doc.Object) > r.Server.Limits.MaxBatch {
		return s3error.New("MalformedXML")
	}
	b, err := r.Bucket()
	if err != nil {
		return access.ConcealBucket(r, err)
	}

	outcomes := deleteAll(r, b, doc.Object)
	var result deleteResult
	for i, o := range doc.Object {
		removal := outcomes[i].removal
		failure := outcomes[i].failure
		if failure != nil {
			result.Error = append(result.Error, *failure)
			continue
		}

		prepareRemovalEvent(r, o.Key, o.VersionID, removal)

		// The client wants to know only of failures.
		if doc.Quiet {
			continue
		}

		deleted := deletedObject{Key: xmldoc.Text(o.Key), VersionID: o.VersionID, DeleteMarker: removal.Marker}
		if removal.Marker {
			deleted.DeleteMarkerVersionID = removal.ID
		}
		result.Deleted = append(result.Deleted, deleted)
	}
	return r.WriteXML("DeleteResult", result)
}

// deletesAtOnce is the number of keys that one request deletes concurrently.
const deletesAtOnce = 16

type deleteOutcome struct {
	removal state.Removal
	failure *deleteError
}

// deleteAll deletes objects with different keys concurrently, and versions of one key in the order of the
// request.
func deleteAll(r *request.Request, b *state.Bucket, objects []unwantedObject) []deleteOutcome {
	outcomes := make([]deleteOutcome, len(objects))
	indexesByKey := map[string][]int{}
	for i, o := range objects {
		// A fault of the server may make the removal of some objects fail.
		outcomes[i].failure = denial(r, o)
		if outcomes[i].failure == nil {
			indexesByKey[o.Key] = append(indexesByKey[o.Key], i)
		}
	}

	// The versions of one key are a group, whose order the request decides.
	groups := slices.Collect(maps.Values(indexesByKey))
	running.All(len(groups), deletesAtOnce, func(g int) error {
		for _, i := range groups[g] {
			removal, err := deleteOne(r, b, objects[i])
			outcomes[i].removal = removal
			if err != nil {
				outcomes[i].failure = newDeleteError(objects[i].Key, objects[i].VersionID, storageerror.Response(err))
			}
		}
		// The error of each object is in its outcome.
		return nil
	})
	return outcomes
}

// denial returns an error if a fault makes the removal of an object fail, and otherwise nil.
func denial(r *request.Request, o unwantedObject) *deleteError {
	key, version, denied := r.Fault.Denies(o.Key, o.VersionID)
	if !denied {
		return nil
	}
	return newDeleteError(key, version, s3error.New("AccessDenied"))
}

// newDeleteError returns the element of the response for an object that was not removed because of err.
func newDeleteError(key, version string, err *s3error.Error) *deleteError {
	return &deleteError{
		Key:       xmldoc.Text(key),
		VersionID: version,
		Code:      err.Code,
		Message:   xmldoc.Text(err.Message),
	}
}

// deleteOne deletes one object of a DeleteObjects request, if the caller may do so and the object has the entity tag
// that the request names.
func deleteOne(r *request.Request, b *state.Bucket, o unwantedObject) (removal state.Removal, err error) {
	// For tests of clients, the server may have the fault that it ignores this condition.
	if r.Fault.Ignores("ETag") {
		o.ETag = ""
	}

	if o.LastModifiedTime != "" || o.Size != "" {
		return removal, s3error.New("NotImplemented").
			WithMessage("This server does not implement the conditions LastModifiedTime and Size")
	}
	if o.Key == "" {
		return removal, s3error.New("UserKeyMustBeSpecified").WithMessage("Key must be specified")
	}
	if o.VersionID != "" && !r.Server.Store.ValidID(o.VersionID) {
		return removal, s3error.New("NoSuchVersion")
	}
	if err := request.CheckKey(o.Key); err != nil {
		return removal, err
	}

	// The caller needs the permission for each key.
	a := access.Of(r, b, policy.ActionOn("s3:DeleteObject", o.VersionID != ""), o.Key, o.VersionID)
	a.ETag = o.ETag
	if err := a.CheckAll(); err != nil {
		return removal, err
	}
	return removeVersion(r, o.Key, o.VersionID, o.ETag)
}

// removeVersion removes a version or, without an id, the current object. Unless match is "", the object must have that
// entity tag.
func removeVersion(r *request.Request, key, id, match string) (state.Removal, error) {
	return r.Server.Store.Remove(r.HTTP.Context(), &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: r.Target.Bucket, Key: key, ID: id},
		Condition:   state.WriteCondition{Match: match},
		Bypass:      request.IsTrue(r.HTTP.Header, request.BypassHeader),
		Account:     r.Caller.Account,
	})
}
