package s3

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
)

// setLifecycle replaces the bucket's rules. Without rules it removes them. Some servers
// accept AbortUploadsAfterDays and drop it. So setLifecycle reads the rules again, and
// restores the old ones if a rule was dropped.
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
		if isCode(err, "MalformedXML", "InvalidArgument") && slices.ContainsFunc(rules, onlyAborts) { // MinIO has no such rule
			e := *asError(err)
			e.Code, e.Hint = storage.Unsupported, "this server has no rules that only abort uploads: remove AbortUploadsAfterDays"
			return &e
		}
		return err
	}
	after, err := b.lifecycleRules(ctx)
	if err != nil {
		e := *asError(err)
		e.Unknown = true // the new rules are active, but maybe not all of them
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
	return &storage.Error{Code: storage.Unsupported, Hint: "this server drops AbortUploadsAfterDays: remove it"}
}

// onlyAborts reports whether a rule only aborts uploads.
func onlyAborts(rule storage.LifecycleRule) bool {
	return rule.AbortUploadsAfterDays > 0 && rule.ExpireAfterDays == 0 && rule.ExpireOldVersionsAfterDays == 0 && rule.TransitionAfterDays == 0
}

// putLifecycle stores S3's rules. Without rules it removes them.
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
		}, b.withBodyChecksum()...)
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

// lifecycle returns the rules that a LifecycleRule can express. It omits all others:
// disabled rules, and rules with tags, sizes, dates or numbers of versions. To write
// the result back removes those.
func (b *managed) lifecycle(ctx context.Context) ([]storage.LifecycleRule, error) {
	if !b.profile.Lifecycle {
		return nil, nil
	}
	configured, err := b.lifecycleRules(ctx)
	var rules []storage.LifecycleRule
	for i := range configured {
		rules = append(rules, readLifecycleRule(&configured[i])...)
	}
	return rules, err
}

// lifecycleRules returns S3's rules.
func (b *managed) lifecycleRules(ctx context.Context) ([]types.LifecycleRule, error) {
	out, err := b.client.GetBucketLifecycleConfiguration(ctx, &awss3.GetBucketLifecycleConfigurationInput{Bucket: &b.name})
	if b.isNotSet(err, "NoSuchLifecycleConfiguration") {
		return nil, nil
	}
	if err != nil {
		return nil, reads(err)
	}
	return out.Rules, nil
}

// readLifecycleRule returns one rule for each transition of an S3 rule, which have the
// same effect.
func readLifecycleRule(r *types.LifecycleRule) []storage.LifecycleRule {
	prefix, only := lifecyclePrefix(r)
	if r.Status != types.ExpirationStatusEnabled || !only {
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
			continue // by date, or immediately
		}
		step := &rules[len(rules)-1]
		if step.TransitionTo != "" {
			next := storage.LifecycleRule{ID: rule.ID + "-" + strconv.Itoa(len(rules)+1), Prefix: prefix}
			rules = append(rules, next)
			step = &rules[len(rules)-1]
		}
		step.TransitionAfterDays, step.TransitionTo = int(aws.ToInt32(t.Days)), string(t.StorageClass)
	}
	if len(rules) == 1 && reflect.DeepEqual(rules[0], storage.LifecycleRule{ID: rule.ID, Prefix: prefix}) {
		return nil // a LifecycleRule cannot express any of it
	}
	return rules
}

// lifecyclePrefix returns the prefix of a rule, and whether the rule filters only by that.
// Rules from before filters existed have the prefix outside of the filter.
func lifecyclePrefix(r *types.LifecycleRule) (prefix string, only bool) {
	f := r.Filter
	switch {
	case f == nil:
		//lint:ignore SA1019 old rules of buckets still have it
		return aws.ToString(r.Prefix), true
	case f.And != nil:
		and := f.And
		return aws.ToString(and.Prefix), len(and.Tags) == 0 && and.ObjectSizeGreaterThan == nil && and.ObjectSizeLessThan == nil
	}
	return aws.ToString(f.Prefix), f.Tag == nil && f.ObjectSizeGreaterThan == nil && f.ObjectSizeLessThan == nil
}
