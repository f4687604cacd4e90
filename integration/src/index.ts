// The script that GitBook hosts: it gets the request that GitBook's dispatcher sends to every integration, and passes it
// on to Courier.
import { forward } from './forward';

export default {
    fetch: (request: Request): Promise<Response> =>
        forward(request, {
            fetch: (input, init) => fetch(input, init),
            now: () => Date.now(),
            sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
            log: (message) => console.error(`[courier] ${message}`),
        }),
};
