package s3server

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const maxBucketTags = 50

func getBucketTagging(r *request) error {
	response := tagging{Xmlns: namespace}
	err := r.view(func(b *bucket) error {
		if len(b.tags) == 0 {
			return s3error.New("NoSuchTagSet", "BucketName", b.name)
		}
		response.setTags(b.tags)
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
	var asked tagging
	if err := r.readXML(&asked); err != nil {
		return err
	}
	tags, err := asked.list()
	if err != nil {
		return err
	}
	if err := checkBucketTags(tags); err != nil {
		return err
	}
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.tags = tags
		return nil
	})
}

// checkBucketTags refuses what S3 refuses, and sorts the tags.
func checkBucketTags(tags []tag) error {
	if len(tags) > maxBucketTags {
		return s3error.New("BadRequest").WithMessage("Bucket tag count cannot be greater than %d", maxBucketTags)
	}
	return checkTagSet(tags, "System tags cannot be added/updated by requester")
}

func deleteBucketTagging(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.tags = nil
		return nil
	})
}
