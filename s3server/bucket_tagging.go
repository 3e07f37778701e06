package s3server

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

func getBucketTagging(r *request) error {
	response := tagging.Document{Xmlns: xmldoc.Namespace}
	err := r.view(func(b *bucket) error {
		if len(b.tags) == 0 {
			return s3error.New("NoSuchTagSet", "BucketName", b.name)
		}
		response.Set(b.tags)
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

func putBucketTagging(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked tagging.Document
	if err := r.readXML(&asked); err != nil {
		return err
	}
	tags, err := asked.List()
	if err != nil {
		return err
	}
	if err := tagging.CheckBucket(tags); err != nil {
		return err
	}
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.tags = tags
		return nil
	})
}

func deleteBucketTagging(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.tags = nil
		return nil
	})
}
