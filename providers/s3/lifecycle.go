package s3

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
)

// setLifecycle replaces the bucket's rules; without a rule it clears them. Some
// servers take AbortUploadsAfterDays and drop it: there the rules are looked at
// again, and what was before them comes back.
func (b *managed) setLifecycle(ctx context.Context, rules []storage.LifecycleRule) error {
	aborts := 0
	configured := make([]types.LifecycleRule, 0, len(rules))
	for _, rule := range rules {
		configured = append(configured, lifecycleRule(rule))
		aborts += min(rule.AbortUploadsAfterDays, 1)
	}
	if aborts == 0 || b.amazon() {
		return b.putLifecycle(ctx, configured)
	}
	before, err := b.lifecycleRules(ctx)
	if err != nil {
		return err
	}
	if err := b.putLifecycle(ctx, configured); err != nil {
		if isCode(err, "MalformedXML", "InvalidArgument") && slices.ContainsFunc(rules, onlyAborts) { // MinIO knows no such rule
			e := *asError(err)
			e.Code, e.Hint = storage.Unsupported, "this server has no rules that only end uploads: leave AbortUploadsAfterDays out"
			return &e
		}
		return err
	}
	after, err := b.lifecycleRules(ctx)
	if err != nil {
		e := *asError(err)
		e.Unknown = true // the rules are in force, and perhaps not all of them
		return &e
	}
	for _, r := range after {
		if r.AbortIncompleteMultipartUpload != nil {
			aborts--
		}
	}
	if aborts <= 0 {
		return nil
	}
	if err := b.putLifecycle(ctx, before); err != nil {
		return err
	}
	return &storage.Error{Code: storage.Unsupported, Hint: "this server drops AbortUploadsAfterDays"}
}

// onlyAborts reports whether a rule does nothing but end uploads.
func onlyAborts(rule storage.LifecycleRule) bool {
	return rule.AbortUploadsAfterDays > 0 && rule.ExpireAfterDays == 0 && rule.ExpireOldVersionsAfterDays == 0 && rule.TransitionAfterDays == 0
}

// putLifecycle writes rules as S3 has them; none clears them.
func (b *managed) putLifecycle(ctx context.Context, rules []types.LifecycleRule) error {
	if len(rules) == 0 {
		return writes(ctx, func(ctx context.Context) error {
			_, err := b.client.DeleteBucketLifecycle(ctx, &awss3.DeleteBucketLifecycleInput{Bucket: &b.name})
			return err
		})
	}
	return writes(ctx, func(ctx context.Context) error {
		_, err := b.client.PutBucketLifecycleConfiguration(ctx, &awss3.PutBucketLifecycleConfigurationInput{
			Bucket: &b.name, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
		}, b.settings()...)
		return err
	})
}

func lifecycleRule(rule storage.LifecycleRule) types.LifecycleRule {
	r := types.LifecycleRule{
		Status: types.ExpirationStatusEnabled,
		Filter: &types.LifecycleRuleFilter{Prefix: aws.String(rule.Prefix)},
	}
	if rule.ID != "" {
		r.ID = aws.String(rule.ID)
	}
	if rule.ExpireAfterDays > 0 {
		r.Expiration = &types.LifecycleExpiration{Days: days(rule.ExpireAfterDays)}
	}
	if rule.ExpireOldVersionsAfterDays > 0 {
		r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: days(rule.ExpireOldVersionsAfterDays)}
	}
	if rule.AbortUploadsAfterDays > 0 {
		r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: days(rule.AbortUploadsAfterDays)}
	}
	if rule.TransitionAfterDays > 0 {
		r.Transitions = []types.Transition{{Days: days(rule.TransitionAfterDays), StorageClass: types.TransitionStorageClass(rule.TransitionTo)}}
	}
	return r
}

func days(n int) *int32 { return aws.Int32(int32(min(n, math.MaxInt32))) }

// lifecycle tells the rules that LifecycleRule can say. What others wrote and
// it cannot say is left out rather than told wrong: rules that are switched
// off, that look at tags or sizes, that name a date or a number of versions. Whoever writes back what
// was read loses those.
func (b *managed) lifecycle(ctx context.Context) ([]storage.LifecycleRule, error) {
	if !b.profile.Lifecycle {
		return nil, nil
	}
	written, err := b.lifecycleRules(ctx)
	var rules []storage.LifecycleRule
	for i := range written {
		rules = append(rules, readLifecycleRule(&written[i])...)
	}
	return rules, err
}

// lifecycleRules are the rules as S3 has them.
func (b *managed) lifecycleRules(ctx context.Context) ([]types.LifecycleRule, error) {
	answer, err := b.client.GetBucketLifecycleConfiguration(ctx, &awss3.GetBucketLifecycleConfigurationInput{Bucket: &b.name})
	if b.nothing(err, "NoSuchLifecycleConfiguration") {
		return nil, nil
	}
	if err != nil {
		return nil, reads(err)
	}
	return answer.Rules, nil
}

// readLifecycleRule is more than one where the rule moves objects on from class
// to class: each step is a rule of its own, with the same effect.
func readLifecycleRule(r *types.LifecycleRule) []storage.LifecycleRule {
	prefix, plain := lifecyclePrefix(r)
	if r.Status != types.ExpirationStatusEnabled || !plain {
		return nil
	}
	rule := storage.LifecycleRule{ID: aws.ToString(r.ID), Prefix: prefix}
	if r.Expiration != nil {
		rule.ExpireAfterDays = int(aws.ToInt32(r.Expiration.Days))
	}
	if old := r.NoncurrentVersionExpiration; old != nil && old.NewerNoncurrentVersions == nil {
		rule.ExpireOldVersionsAfterDays = int(aws.ToInt32(old.NoncurrentDays))
	}
	if r.AbortIncompleteMultipartUpload != nil {
		rule.AbortUploadsAfterDays = int(aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation))
	}
	rules := []storage.LifecycleRule{rule}
	for _, t := range r.Transitions {
		if aws.ToInt32(t.Days) == 0 {
			continue // by date, or at once
		}
		step := &rules[len(rules)-1]
		if step.TransitionTo != "" {
			next := storage.LifecycleRule{ID: rule.ID + "-" + strconv.Itoa(len(rules)+1), Prefix: prefix}
			rules = append(rules, next)
			step = &rules[len(rules)-1]
		}
		step.TransitionAfterDays, step.TransitionTo = int(aws.ToInt32(t.Days)), string(t.StorageClass)
	}
	if len(rules) == 1 && rules[0] == (storage.LifecycleRule{ID: rule.ID, Prefix: prefix}) {
		return nil // it does only what LifecycleRule cannot say
	}
	return rules
}

// lifecyclePrefix is what the rule looks at; false where that is more than a
// prefix. Rules from before filters existed have it beside them.
func lifecyclePrefix(r *types.LifecycleRule) (string, bool) {
	f := r.Filter
	switch {
	case f == nil:
		//lint:ignore SA1019 nobody writes it any more, and buckets still have it
		return aws.ToString(r.Prefix), true
	case f.And != nil:
		and := f.And
		return aws.ToString(and.Prefix), len(and.Tags) == 0 && and.ObjectSizeGreaterThan == nil && and.ObjectSizeLessThan == nil
	}
	return aws.ToString(f.Prefix), f.Tag == nil && f.ObjectSizeGreaterThan == nil && f.ObjectSizeLessThan == nil
}
