package bucketsettings

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// setLifecycle replaces the bucket's rules, or removes them if rules is empty. Some servers accept
// a rule but drop its AbortUploadsAfterDays or its tags, without which it would also remove other
// objects. setLifecycle therefore reads what was stored, and restores the old rules if something is
// missing.
func (b *Bucket) setLifecycle(ctx context.Context, rules []storage.LifecycleRule) error {
	sdkRules := make([]types.LifecycleRule, 0, len(rules))
	for _, rule := range rules {
		sdkRules = append(sdkRules, lifecycleRule(rule))
	}
	aborts, tags := countUnstored(sdkRules)
	mayDrop := aborts+tags > 0 && !b.IsAmazon
	if !mayDrop {
		// There is nothing to check.
		return b.putLifecycle(ctx, sdkRules)
	}

	// Store the new rules, and keep the old ones to restore them.
	old, err := b.lifecycleRules(ctx)
	if err != nil {
		return err
	}
	if err := b.putLifecycle(ctx, sdkRules); err != nil {
		isMalformed := s3error.IsCode(err, "MalformedXML", "InvalidArgument")
		if isMalformed && slices.ContainsFunc(rules, onlyAborts) {
			// This is MinIO, for example.
			return sdkerror.WithCode(
				err, storage.Unsupported,
				"this server has no rules that only abort uploads: remove AbortUploadsAfterDays",
			)
		}
		return err
	}

	// Check that the server has stored them all.
	current, err := b.lifecycleRules(ctx)
	if err != nil {
		e := *s3error.Of(err)
		e.Unknown = true // the new rules are active, but maybe not all of them
		return &e
	}

	hint := droppedHint(sdkRules, current)
	if hint == "" {
		return nil
	}

	// Something is missing, so restore the old rules.
	if err := b.putLifecycle(ctx, old); err != nil {
		return err
	}
	return &storage.Error{Code: storage.Unsupported, Hint: hint}
}

// droppedHint compares the rules that were sent with those that the server has stored, and returns a hint
// for what is missing. It is "" if nothing is missing.
func droppedHint(sent, stored []types.LifecycleRule) string {
	aborts, tags := countUnstored(sent)
	keptAborts, keptTags := countUnstored(stored)
	switch {
	case keptTags < tags:
		return "this server drops the tags of rules: remove them"
	case keptAborts < aborts:
		return "this server drops AbortUploadsAfterDays: remove it"
	}
	return ""
}

// countUnstored counts what some servers do not store: the rules that abort uploads, and the tags
// of rules.
func countUnstored(rules []types.LifecycleRule) (aborts, tags int) {
	for i := range rules {
		if rules[i].AbortIncompleteMultipartUpload != nil {
			aborts++
		}
		_, filter, _ := readLifecycleFilter(&rules[i])
		tags += len(filter)
	}
	return aborts, tags
}

func onlyAborts(rule storage.LifecycleRule) bool {
	return rule.AbortUploadsAfterDays > 0 && rule.ExpireAfterDays == 0 && rule.ExpireOldVersionsAfterDays == 0 &&
		rule.TransitionAfterDays == 0
}

// putLifecycle replaces the bucket's rules, or removes them if rules is empty.
func (b *Bucket) putLifecycle(ctx context.Context, rules []types.LifecycleRule) error {
	if len(rules) == 0 {
		return sdkcall.Exec(ctx, b.Client.DeleteBucketLifecycle, &awss3.DeleteBucketLifecycleInput{Bucket: &b.Name})
	}
	return sdkcall.Exec(ctx, b.Client.PutBucketLifecycleConfiguration, &awss3.PutBucketLifecycleConfigurationInput{
		Bucket:                 &b.Name,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
	}, b.BodyChecksum...)
}

// lifecycleRule converts a rule to the SDK's form, in which a setting of zero days is left out.
func lifecycleRule(rule storage.LifecycleRule) types.LifecycleRule {
	r := types.LifecycleRule{
		ID:     httpheader.Optional(rule.ID),
		Status: types.ExpirationStatusEnabled,
		Filter: lifecycleFilter(rule),
	}

	if rule.ExpireAfterDays > 0 {
		r.Expiration = &types.LifecycleExpiration{Days: days(rule.ExpireAfterDays)}
	}
	if rule.ExpireOldVersionsAfterDays > 0 {
		r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{
			NoncurrentDays: days(rule.ExpireOldVersionsAfterDays),
		}
	}

	if rule.AbortUploadsAfterDays > 0 {
		r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{
			DaysAfterInitiation: days(rule.AbortUploadsAfterDays),
		}
	}

	if rule.TransitionAfterDays > 0 {
		r.Transitions = []types.Transition{
			{Days: days(rule.TransitionAfterDays), StorageClass: types.TransitionStorageClass(rule.TransitionTo)},
		}
	}
	return r
}

// lifecycleFilter returns the filter of a rule. It uses "And" only for two or more conditions,
// because S3 refuses it for fewer.
func lifecycleFilter(rule storage.LifecycleRule) *types.LifecycleRuleFilter {
	tags := attributes.TagSet(rule.Tags)
	slices.SortFunc(tags, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	if len(tags) == 0 {
		return &types.LifecycleRuleFilter{Prefix: aws.String(rule.Prefix)}
	}
	if len(tags) == 1 && rule.Prefix == "" {
		return &types.LifecycleRuleFilter{Tag: &tags[0]}
	}
	return &types.LifecycleRuleFilter{
		And: &types.LifecycleRuleAndOperator{Prefix: httpheader.Optional(rule.Prefix), Tags: tags},
	}
}

func days(n int) *int32 { return aws.Int32(int32(min(n, math.MaxInt32))) }

// lifecycle reads the rules that a LifecycleRule can express, and omits disabled rules and those
// with sizes, dates or numbers of versions. If a caller writes the result back, the omitted rules
// are lost.
func (b *Bucket) lifecycle(ctx context.Context) ([]storage.LifecycleRule, error) {
	if !b.HasLifecycle { // the server has no such rules
		return nil, nil
	}

	sdkRules, err := b.lifecycleRules(ctx) // none if there is an error
	var rules []storage.LifecycleRule
	for i := range sdkRules {
		rules = append(rules, readLifecycleRule(&sdkRules[i])...)
	}
	return rules, err
}

// lifecycleRules reads the lifecycle rules of the bucket in the types of the SDK. A bucket without rules
// is no error.
func (b *Bucket) lifecycleRules(ctx context.Context) ([]types.LifecycleRule, error) {
	output, err := readSetting(
		ctx, b.Client.GetBucketLifecycleConfiguration,
		&awss3.GetBucketLifecycleConfigurationInput{Bucket: &b.Name},
		"NoSuchLifecycleConfiguration",
	)
	if err != nil {
		return nil, err
	}
	return output.Rules, nil
}

// readLifecycleRule converts a rule of S3 to rules that together have the same effect. It may
// return several, because a LifecycleRule has only one transition.
func readLifecycleRule(r *types.LifecycleRule) []storage.LifecycleRule {
	prefix, tags, isSupported := readLifecycleFilter(r)
	if r.Status != types.ExpirationStatusEnabled || !isSupported {
		return nil
	}

	// One rule can have all of these settings.
	rule := storage.LifecycleRule{ID: aws.ToString(r.ID), Prefix: prefix, Tags: tags}
	if r.Expiration != nil {
		rule.ExpireAfterDays = int(aws.ToInt32(r.Expiration.Days))
	}
	if old := r.NoncurrentVersionExpiration; old != nil && old.NewerNoncurrentVersions == nil {
		rule.ExpireOldVersionsAfterDays = int(aws.ToInt32(old.NoncurrentDays))
	}
	if r.AbortIncompleteMultipartUpload != nil {
		rule.AbortUploadsAfterDays = int(aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation))
	}

	rules := addTransitions(rule, r.Transitions)
	withoutEffect := storage.LifecycleRule{ID: rule.ID, Prefix: prefix, Tags: tags}
	if len(rules) == 1 && reflect.DeepEqual(rules[0], withoutEffect) {
		// A LifecycleRule cannot express any part of the rule.
		return nil
	}
	return rules
}

// addTransitions returns rule with the first of the transitions to another storage class, and a rule for
// each further one, because a LifecycleRule has only one.
func addTransitions(rule storage.LifecycleRule, transitions []types.Transition) []storage.LifecycleRule {
	rules := []storage.LifecycleRule{rule}
	for _, t := range transitions {
		if aws.ToInt32(t.Days) == 0 {
			// A LifecycleRule cannot express a transition by date, or an immediate one.
			continue
		}

		last := &rules[len(rules)-1]
		if last.TransitionTo != "" {
			id := rule.ID + "-" + strconv.Itoa(len(rules)+1)
			rules = append(rules, storage.LifecycleRule{ID: id, Prefix: rule.Prefix, Tags: rule.Tags})
			last = &rules[len(rules)-1]
		}
		last.TransitionAfterDays = int(aws.ToInt32(t.Days))
		last.TransitionTo = string(t.StorageClass)
	}
	return rules
}

// readLifecycleFilter returns the prefix and the tags of a rule, and whether the rule filters by
// nothing else. Rules from before S3 had filters have the prefix outside of the filter.
func readLifecycleFilter(r *types.LifecycleRule) (prefix string, tags map[string]string, isSupported bool) {
	f := r.Filter
	if f == nil {
		//lint:ignore SA1019 old rules still have the deprecated field Prefix
		return aws.ToString(r.Prefix), nil, true
	}

	// Several conditions are in f.And, and a single one is in f itself.
	if and := f.And; and != nil {
		if len(and.Tags) > 0 {
			tags = attributes.TagMap(and.Tags)
		}
		hasSize := and.ObjectSizeGreaterThan != nil || and.ObjectSizeLessThan != nil
		return aws.ToString(and.Prefix), tags, !hasSize
	}
	if f.Tag != nil {
		tags = attributes.TagMap([]types.Tag{*f.Tag})
	}
	hasSize := f.ObjectSizeGreaterThan != nil || f.ObjectSizeLessThan != nil
	return aws.ToString(f.Prefix), tags, !hasSize
}
