package temporal

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
)

// A service stands for the server of Temporal: it keeps the input of a workflow, and returns it as
// the result of a query.
type service struct {
	workflowservice.UnimplementedWorkflowServiceServer
	input *common.Payloads
}

func (*service) GetSystemInfo(
	context.Context, *workflowservice.GetSystemInfoRequest,
) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

// StartWorkflowExecution keeps the input of the workflow.
func (s *service) StartWorkflowExecution(
	_ context.Context, r *workflowservice.StartWorkflowExecutionRequest,
) (*workflowservice.StartWorkflowExecutionResponse, error) {
	s.input = r.Input
	return &workflowservice.StartWorkflowExecutionResponse{RunId: "run"}, nil
}

func (s *service) QueryWorkflow(
	context.Context, *workflowservice.QueryWorkflowRequest,
) (*workflowservice.QueryWorkflowResponse, error) {
	return &workflowservice.QueryWorkflowResponse{QueryResult: s.input}, nil
}

// The SDK's own client stores a workflow's large input in the bucket and reads it back, so that the service gets only a
// reference to it.
func TestClientOfTemporal(t *testing.T) {
	// Larger payloads are stored in the bucket.
	const threshold = 1 << 10
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			temporal := &service{}
			c, err := client.DialContext(t.Context(), client.Options{
				HostPort: serve(t, temporal),
				ExternalStorage: converter.ExternalStorage{
					Drivers:              []converter.StorageDriver{newDriver(t, open(t))},
					PayloadSizeThreshold: threshold,
				},
			})
			require.NoError(t, err)
			defer c.Close()

			large := strings.Repeat("large ", threshold)
			opts := client.StartWorkflowOptions{ID: "a", TaskQueue: "q"}
			_, err = c.ExecuteWorkflow(t.Context(), opts, "workflow", large, "small")
			require.NoError(t, err)
			// The service has only a reference to the large input.
			require.Less(t, len(temporal.input.String()), threshold)

			value, err := c.QueryWorkflow(t.Context(), "a", "", "input")
			require.NoError(t, err)
			var got string
			require.NoError(t, value.Get(&got))
			require.Equal(t, large, got)
		})
	}
}

// serve starts a gRPC server for a service, which ends with the test. It returns the address.
func serve(t *testing.T, s *service) string {
	t.Helper()
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, s)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		_ = server.Serve(listener)
	}()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}
