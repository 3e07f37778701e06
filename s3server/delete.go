package s3server

import (
	"encoding/xml"
	"net/http"
)

// deleteObject returns 204 also for a missing object, as S3 does.
func (r *request) deleteObject() error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	if r.Header.Get("If-None-Match") != "" {
		return newError("NotImplemented", "Header", "If-None-Match")
	}
	condition := writeCondition{match: r.Header.Get("If-Match")}
	var gone removal
	err = r.change(func(b *bucket) (unused []piece, err error) {
		if err := condition.checkDelete(r.key, b.current(r.key)); err != nil {
			return nil, err
		}
		gone, unused, err = b.remove(r.key, id, r)
		return unused, err
	})
	if err != nil {
		return err
	}
	header := r.w.Header()
	if gone.marker {
		header.Set("X-Amz-Delete-Marker", "true")
	}
	if gone.id != "" {
		header.Set("X-Amz-Version-Id", gone.id)
	}
	return r.done(http.StatusNoContent)
}

// A removal is the result of a deletion.
type removal struct {
	marker bool   // a marker was written, or removed by its id
	id     string // of the marker, or of the removed version
}

// remove removes a version. Without an id it removes the current object, by a delete
// marker if the bucket keeps versions.
func (b *bucket) remove(key, id string, r *request) (gone removal, unused []piece, err error) {
	if id != "" {
		v := b.version(key, id)
		if v == nil {
			return removal{id: id}, nil, nil
		}
		if err := v.lock.checkRemoval(r); err != nil {
			return removal{}, nil, err
		}
		return removal{marker: v.marker, id: id}, b.drop(key, id), nil
	}
	if b.versioning == "" {
		return removal{}, b.drop(key, nullVersion), nil
	}
	marker := &version{key: key, modified: r.server.now(), marker: true, object: object{account: r.caller.account}}
	unused = b.add(marker)
	return removal{marker: true, id: marker.id}, unused, nil
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []struct {
		Key, ETag string
		VersionID string `xml:"VersionId"`
	}
}

type deleteResult struct {
	XMLName xml.Name `xml:"DeleteResult"`
	Xmlns   string   `xml:"xmlns,attr"`
	Deleted []deletedObject
	Error   []deleteError
}

type deletedObject struct {
	Key                   text
	VersionID             string `xml:"VersionId,omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteError struct {
	Key       text
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   text
}

// deleteObjects returns 200 with a result for each key.
func (r *request) deleteObjects() error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked deleteRequest
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if len(asked.Object) == 0 || len(asked.Object) > r.server.limits.MaxBatch {
		return newError("MalformedXML")
	}
	result := deleteResult{Xmlns: namespace}
	err := r.change(func(b *bucket) (unused []piece, err error) {
		for _, o := range asked.Object {
			if denied := r.fault.denies(o.Key, o.VersionID); denied != nil {
				result.Error = append(result.Error, *denied)
				continue
			}
			if r.fault.ignores("ETag") {
				o.ETag = ""
			}
			gone, freed, err := r.deleteOne(b, o.Key, o.VersionID, o.ETag)
			unused = append(unused, freed...)
			if err != nil {
				e := asAPIError(err)
				result.Error = append(result.Error, deleteError{text(o.Key), o.VersionID, e.code, text(e.message)})
				continue
			}
			if asked.Quiet {
				continue
			}
			deleted := deletedObject{Key: text(o.Key), VersionID: o.VersionID, DeleteMarker: gone.marker}
			if gone.marker {
				deleted.DeleteMarkerVersionID = gone.id
			}
			result.Deleted = append(result.Deleted, deleted)
		}
		return unused, nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(result)
}

func deleteAction(id string) string {
	if id != "" {
		return versionActions["s3:DeleteObject"]
	}
	return "s3:DeleteObject"
}

func (r *request) deleteOne(b *bucket, key, id, etag string) (removal, []piece, error) {
	if key == "" {
		return removal{}, nil, newError("UserKeyMustBeSpecified").withMessage("Key must be specified")
	}
	if err := checkKey(key); err != nil {
		return removal{}, nil, err
	}
	if id != "" && !validVersionID(id) {
		return removal{}, nil, newError("NoSuchVersion")
	}
	if err := r.access(b, deleteAction(id), key, id).checkAll(); err != nil {
		return removal{}, nil, err
	}
	if err := (writeCondition{match: etag}).checkDelete(key, b.current(key)); err != nil {
		return removal{}, nil, err
	}
	return b.remove(key, id, r)
}
