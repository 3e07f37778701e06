package driver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An objectDriver is one bucket of a store that speaks plain HTTP.
type objectDriver struct {
	driver.UnimplementedDriver
	client *http.Client
	root   string
}

// Delete removes an object. One that does not exist is no error.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	return driver.SendWrite(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodDelete, d.root+"/"+r.Key, nil)
		if err != nil {
			return storage.InvalidArgument
		}
		response, err := d.client.Do(request)
		if err != nil {
			return driver.NetworkError(err)
		}
		defer response.Body.Close()
		switch response.StatusCode {
		case http.StatusNoContent, http.StatusNotFound:
			return nil
		}
		return driver.StatusError(response)
	})
}

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	client := &http.Client{Transport: driver.NewTransport(driver.TransportOptions{})}
	defer client.CloseIdleConnections()

	d := &objectDriver{client: client, root: server.URL}
	err := d.Delete(context.Background(), &driver.DeleteRequest{Key: "cat.jpg"})
	e := err.(*storage.Error)
	fmt.Println("code:", e.Code)
	fmt.Println("retryable:", e.Retryable)
	fmt.Println("may have taken effect:", e.Unknown)
	// Output:
	// code: unavailable
	// retryable: true
	// may have taken effect: true
}
