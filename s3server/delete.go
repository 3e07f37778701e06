package s3server

import (
	"cmp"
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// deleteObject returns 204 also for a missing object, as S3 does.
func deleteObject(r *request) error {
	id, err := r.versionID()
	if err = cmp.Or(err, checkBypass(r)); err != nil {
		return err
	}
	if r.in.Header.Get("If-None-Match") != "" {
		return s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	gone, err := remove(r, r.target.key, id, r.in.Header.Get("If-Match"))
	if err != nil {
		return err
	}
	header := r.w.Header()
	if gone.Marker {
		header.Set("X-Amz-Delete-Marker", "true")
	}
	if gone.ID != "" {
		header.Set("X-Amz-Version-Id", gone.ID)
	}
	return r.done(http.StatusNoContent)
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []unwantedObject
}

type unwantedObject struct {
	Key, ETag              string
	LastModifiedTime, Size string // conditions that S3 has only in directory buckets
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

// deleteObjects returns 200 with a result for each key.
func deleteObjects(r *request) error {
	var asked deleteRequest
	if err := r.readVouched(&asked); err != nil {
		return err
	}
	if err := checkBypass(r); err != nil {
		return err
	}
	if len(asked.Object) == 0 || len(asked.Object) > r.server.limits.MaxBatch {
		return s3error.New("MalformedXML")
	}
	var result deleteResult
	b, err := r.bucket()
	if err != nil {
		return err
	}
	for _, o := range asked.Object {
		if denied := r.fault.denies(o.Key, o.VersionID); denied != nil {
			result.Error = append(result.Error, *denied)
			continue
		}
		if r.fault.ignores("ETag") {
			o.ETag = ""
		}
		gone, err := deleteOne(r, b, o)
		if err != nil {
			e := asAPIError(err)
			result.Error = append(result.Error, deleteError{xmldoc.Text(o.Key), o.VersionID, e.Code, xmldoc.Text(e.Message)})
			continue
		}
		if asked.Quiet {
			continue
		}
		deleted := deletedObject{Key: xmldoc.Text(o.Key), VersionID: o.VersionID, DeleteMarker: gone.Marker}
		if gone.Marker {
			deleted.DeleteMarkerVersionID = gone.ID
		}
		result.Deleted = append(result.Deleted, deleted)
	}
	return r.writeXML("DeleteResult", result)
}

func deleteOne(r *request, b *state.Bucket, o unwantedObject) (gone state.Removal, err error) {
	switch {
	case o.LastModifiedTime != "" || o.Size != "":
		return gone, s3error.New("NotImplemented").WithMessage("This server does not implement the conditions LastModifiedTime and Size")
	case o.Key == "":
		return gone, s3error.New("UserKeyMustBeSpecified").WithMessage("Key must be specified")
	case o.VersionID != "" && !r.server.store.ValidID(o.VersionID):
		return gone, s3error.New("NoSuchVersion")
	}
	if err := checkKey(o.Key); err != nil {
		return gone, err
	}
	if err := r.access(b, policy.ActionOn("s3:DeleteObject", o.VersionID != ""), o.Key, o.VersionID).checkAll(); err != nil {
		return gone, err
	}
	return remove(r, o.Key, o.VersionID, o.ETag)
}
