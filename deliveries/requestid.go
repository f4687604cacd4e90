package deliveries

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

type requestIDKey struct{}

// withRequestID is a context whose start of a workflow has that request id.
func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestIDs is an option for the connection of the client that a Store uses. It gives a start of a
// workflow the request id that the Store has chosen, by which Temporal starts one run for several
// equal calls; the SDK's client has no option for it.
func RequestIDs() grpc.DialOption { return grpc.WithChainUnaryInterceptor(setRequestID) }

func setRequestID(ctx context.Context, method string, request, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if start, ok := request.(*workflowservice.StartWorkflowExecutionRequest); ok {
		if id, ok := ctx.Value(requestIDKey{}).(string); ok {
			start.RequestId = id
		}
	}
	return invoke(ctx, method, request, reply, c, options...)
}
