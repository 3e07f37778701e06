package main

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

var listingAzure = []struct {
	name string
	open func(ctx context.Context, server string) (lister, error)
}{
	{ours, func(ctx context.Context, server string) (lister, error) {
		b, err := ownAzure(ctx, server)
		return listBucket(b), err
	}},
	{rawAzure, listRawAzure},
	{goCloudAzure, func(ctx context.Context, server string) (lister, error) {
		s, err := goCloudAzureBucket(ctx, server)
		return s.listEach, err
	}},
}

func listRawAzure(_ context.Context, server string) (lister, error) {
	client, err := azureContainerClient(server)
	return func(ctx context.Context, prefix string, each func()) error {
		most := int32(1000)
		pages := client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, MaxResults: &most})
		for pages.More() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for range page.Segment.BlobItems {
				each()
			}
		}
		return nil
	}, err
}

func azureListCase() benchCase {
	c := benchCase{
		name: "azure-list", title: "list keys with their sizes in pages of 1,000, over plain http; figures are of one key",
		goals: []goal{allocationsOver(ours, rawAzure, 3), lessCPU(ours, rawAzure, 1.25)},
	}
	for _, s := range listingAzure {
		c.rows = append(c.rows, row{name: s.name, setup: listedAt(azureStorage.at(nearPlain), s.open)})
	}
	return c
}
